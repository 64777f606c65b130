# The image that `scoring-module build` makes without an engine, by docker, podman, buildah or `az acr build`:
#
#   docker build --build-arg DIRECTORY=examples/turbofan -t myregistry.azurecr.io/scoring:7 .
#
# DIRECTORY is in this folder and holds score.py (with other .py, .json and .yml files beside it), the model, and the
# requirements.lock that `scoring-module build` writes. A change of the model or of score.py rebuilds only the last
# layers. Of module/ the image gets what a device runs; .dockerignore keeps back what builds images, and the simulator.
# For an index of your own put pip.conf, and ca.pem if it needs one, beside this file: they stay in the stage
# that is thrown away.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG BUILD_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${BUILD_IMAGE} AS packages
ARG DIRECTORY=examples/turbofan
ARG LOCK=requirements.lock
WORKDIR /build
COPY ${DIRECTORY}/${LOCK} pip.con[f] ca.pe[m] ./
RUN export PIP_CONFIG_FILE=/build/pip.conf; if [ -f ca.pem ]; then export PIP_CERT=/build/ca.pem; fi; \
    python3 -m pip install --no-cache-dir --no-compile --no-deps --require-hashes --target all -r ${LOCK}
RUN cd all \
    && rm -rf bin onnxruntime/capi/libonnxruntime.so.* onnxruntime/tools onnxruntime/transformers \
        onnxruntime/quantization onnxruntime/datasets numpy/_core/include \
    && find numpy -name tests -prune -exec rm -rf {} + \
    && find . \( -name '*.a' -o -name '*.pyi' -o -name '*.pxd' -o -name RECORD \) -delete \
    && mkdir ../onnxruntime ../numpy && mv onnxruntime* ../onnxruntime && mv numpy* ../numpy \
    && find .. -exec touch -h -d @0 {} +

FROM ${BASE_IMAGE}
RUN install -d -o 10001 -g 10001 -m 750 /var/lib/scoring \
    && printf '#!/usr/bin/env python3\nfrom module.cli import main\n\nmain()\n' > /usr/local/bin/scoring-module \
    && chmod 755 /usr/local/bin/scoring-module
ENV PYTHONPATH=/opt/scoring/runtime:/opt/scoring/packages \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SCORING_DIR=/var/azureml-app \
    SCORING_JOURNAL_DIR=/var/lib/scoring
WORKDIR /var/azureml-app
USER 10001:10001
EXPOSE 9600
ENTRYPOINT ["python3", "-m", "module.cli"]
CMD ["run"]
COPY --from=packages /build/onnxruntime /opt/scoring/packages
COPY --from=packages /build/numpy /opt/scoring/packages
COPY --from=packages /build/all /opt/scoring/packages
COPY module /opt/scoring/runtime/module
COPY scoring /opt/scoring/runtime/scoring
ARG DIRECTORY=examples/turbofan
ARG MODEL=model.onnx
COPY ${DIRECTORY}/${MODEL} ./
COPY ${DIRECTORY}/*.py ${DIRECTORY}/*.jso[n] ${DIRECTORY}/*.ym[l] ./
