"""sdv2-live: live video restyled by a causal, few-step video diffusion model."""

__version__ = "0.2.0"
