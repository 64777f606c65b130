# The image that `scoring-module build` makes without an engine, by docker, podman, buildah or `az acr build`:
#
#   docker build --build-arg DIRECTORY=examples/turbofan -t myregistry.azurecr.io/scoring:7 .
#
# DIRECTORY is in this folder and holds score.py, the model, and the requirements.lock that `scoring-module build` writes
# for this platform. What goes in, and what is refused, is what `build` packs: the same code lists it. A change of the
# model or of score.py makes only the last layers anew. What differs: docs/deploy.md, "By a Dockerfile".
# For an index of your own put pip.conf, and ca.pem if it needs one, beside this file: they stay in the stage
# that is thrown away.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG BUILD_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${BUILD_IMAGE} AS files
ARG DIRECTORY=examples/turbofan
ARG LOCK=requirements.lock
WORKDIR /build
ENV PYTHONDONTWRITEBYTECODE=1
COPY ${DIRECTORY}/${LOCK} pip.con[f] ca.pe[m] ./
# A lock names packages and their hashes: an option in it, such as an index, would be pip's.
RUN if grep -v '^#\|^ *--hash=sha256:' ${LOCK} | grep -q '^ *-\| -[-a-z]'; then echo "${LOCK} has options of pip: lock anew" >&2; exit 1; fi
RUN export PIP_CONFIG_FILE=/build/pip.conf; if [ -f ca.pem ]; then export PIP_CERT=/build/ca.pem; fi; \
    pip="python3 -m pip install --no-cache-dir --no-compile --use-pep517" \
    && $pip --no-deps --require-hashes --target all -r ${LOCK} && $pip --target tools pathspec
COPY module module
COPY scoring scoring
RUN mkdir onnxruntime numpy && python3 -c "from pathlib import Path; from module.packaging.image.slimming import slim; \
        slim(Path('all'), everything=False)" \
    && mv all/onnxruntime* onnxruntime && mv all/numpy* numpy && find all onnxruntime numpy -exec touch -h -d @0 {} +
COPY ${DIRECTORY} directory
# Words: names to pack though they look like secrets, as `build --allow NAME` does.
ARG ALLOW=
RUN PYTHONPATH=all:onnxruntime:numpy:tools python3 -m module.packaging.image.contents directory out ${ALLOW}

FROM ${BASE_IMAGE}
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
STOPSIGNAL SIGTERM
ENTRYPOINT ["python3", "-m", "module.cli"]
CMD ["run"]
COPY --from=files /build/onnxruntime /opt/scoring/packages
COPY --from=files /build/numpy /opt/scoring/packages
COPY --from=files /build/all /opt/scoring/packages
COPY --from=files /build/out/runtime/opt/scoring/runtime /opt/scoring/runtime
COPY --from=files /build/out/runtime/usr/local/bin /usr/local/bin
COPY --from=files --chown=10001:10001 /build/out/script/var/lib /var/lib
COPY --from=files /build/out/model /
COPY --from=files /build/out/script/var/azureml-app /var/azureml-app
