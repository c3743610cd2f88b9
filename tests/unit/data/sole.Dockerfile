FROM busybox
RUN echo one
COPY data /data
