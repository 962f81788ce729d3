# One image for every role: `tracker web`, `tracker worker`, and the command line.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY tracker tracker
COPY workers workers
COPY web web
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY requirements/runtime.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt && rm /tmp/requirements.txt
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl && rm -r /wheels
# Made here and owned by the user, so that a fresh volume mounted over it is writable.
RUN useradd --system --uid 10001 --create-home tracker && install --directory --owner tracker --mode 0700 /var/lib/tracker
USER tracker
WORKDIR /home/tracker
ENV PYTHONUNBUFFERED=1 TRACKER_STATE_DIR=/var/lib/tracker
ENTRYPOINT ["tracker"]
CMD ["--help"]
