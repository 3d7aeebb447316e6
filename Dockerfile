# For CPUs:   docker build -t keras_art .
# For CUDA:   docker build -t keras_art:cuda --build-arg TENSORFLOW="tensorflow[and-cuda]" .
# To run:     docker run --rm -v "$PWD:/work" keras_art -m reproductions.sabatelli2018 --data /work/pictures --target artist
#             (with --gpus all, and the host's driver, for CUDA, whose libraries come with TensorFlow's wheels)
FROM python:3.11-slim

ARG TENSORFLOW=tensorflow
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=2

WORKDIR /opt/keras_art
COPY . .
RUN pip install -c constraints.txt "${TENSORFLOW}" . \
    && useradd --create-home --uid 1000 keras_art && mkdir /work && chown keras_art /work

# Runs, caches and pictures are the host's.
USER keras_art
WORKDIR /work
ENTRYPOINT ["python"]
CMD ["-m", "keras_art", "--help"]
