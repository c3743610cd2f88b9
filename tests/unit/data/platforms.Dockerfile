FROM --platform=$BUILDPLATFORM busybox AS build
WORKDIR /src
ARG TARGETARCH
RUN echo for-$TARGETARCH > /src/out

FROM scratch AS final
COPY --from=build /src/out /out
COPY data /data
