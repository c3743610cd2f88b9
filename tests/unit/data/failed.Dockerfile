FROM busybox AS slow
RUN sleep 20

FROM busybox AS broken
RUN echo first && echo 'context canceled' >&2 && exit 3
RUN echo never

FROM busybox
COPY --from=broken /etc /a
COPY --from=slow /etc /b
