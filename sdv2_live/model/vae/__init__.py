"""The video autoencoders: Wan's, and TAEHV in its sizes; frames to latents and back, as a stream."""
