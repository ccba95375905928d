# sdv2-live on an NVIDIA GPU. How to build and run it: examples/docker/README.md
#
# Debian's Python and PyTorch's own wheels, which bring CUDA, cuDNN and the kernels: the host gives the driver alone.
FROM python:3.12-slim-bookworm AS build

# The version that is tested, as in tools/setup.py. PyPI's PyTorch for Linux is the build for CUDA 13. For CUDA 12:
# --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 --build-arg EXTRAS=cuda
ARG TORCH="torch==2.13.0"
ARG TORCH_INDEX="https://pypi.org/simple"
ARG EXTRAS="cuda13"

RUN python -m venv /opt/sdv2-live
ENV PATH="/opt/sdv2-live/bin:$PATH"

# First and in a layer of its own: some gigabytes, which a change of sdv2-live does not fetch again.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "$TORCH"

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY sdv2_live sdv2_live
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".[$EXTRAS]"


FROM python:3.12-slim-bookworm

# libavahi-client3: the NDI library does not load without it. gcc, libc6-dev: Triton compiles its launchers with them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libavahi-client3 libc6-dev \
    && rm -rf /var/lib/apt/lists/*

# The folders lie in the image, so that volumes mounted there belong to the user that writes to them.
RUN useradd --create-home --uid 10001 sdv2 \
    && mkdir -p /home/sdv2/.cache/sdv2-live /home/sdv2/.local/state/sdv2-live /home/sdv2/takes \
    && chown -R sdv2:sdv2 /home/sdv2
COPY --from=build /opt/sdv2-live /opt/sdv2-live

ENV PATH="/opt/sdv2-live/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
WORKDIR /home/sdv2

# Weights, encoded prompts and compiled kernels; the live state for --resume and the log. Takes go where you mount /home/sdv2/takes.
VOLUME ["/home/sdv2/.cache/sdv2-live", "/home/sdv2/.local/state/sdv2-live"]

# OSC by UDP, OSCQuery and metrics by TCP. With --network host, which NDI's discovery wants, these lines only inform.
EXPOSE 9000/udp 9000/tcp

# OSCQuery answers as soon as the show runs, while the models load, too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9000/?HOST_INFO', timeout=4)"]

ENTRYPOINT ["sdv2-live"]
CMD ["run", "--resume"]
