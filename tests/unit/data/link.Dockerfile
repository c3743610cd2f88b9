FROM busybox AS only
RUN echo base
COPY --link data /data
COPY --link --chmod=0600 data /again
