FROM busybox AS only
RUN echo other
COPY --link data /data
COPY --link --chmod=0600 data /again
