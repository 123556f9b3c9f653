# The app in a container:
#   docker build -t convnet .
#   docker run --init -p 127.0.0.1:8501:8501 -v convnet:/data convnet
# Inside it listens on all addresses; which of the host's it is published on, -p says: read docs/ACCESS.md before another.

ARG BASE=debian:bookworm-slim
FROM ${BASE}

# Bookworm's Python is 3.11, the last on which the converter onnx-tf installs.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /venv \
    && useradd --create-home --uid 1000 convnet \
    && install -d -o convnet -g convnet /data
ENV PATH=/venv/bin:$PATH

# The libraries, 8 GB, in a layer of their own: a change of the code leaves it as it is.
COPY requirements.txt /src/
RUN pip install --no-cache-dir -r /src/requirements.txt

COPY app.py pyproject.toml setup.py /src/
COPY .streamlit /src/.streamlit
COPY pages /src/pages
COPY convnet_core /src/convnet_core
RUN pip install --no-cache-dir --no-deps /src

USER convnet
WORKDIR /data
VOLUME /data
ENV CONVNET_RUNS_DIR=/data/runs CONVNET_CACHE_DIR=/data/cache PYTHONUNBUFFERED=1
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["convnet", "app", "--address", "0.0.0.0"]
