FROM busybox AS build
RUN echo begun
RUN echo waiting && sleep 60
RUN echo never
