FROM busybox as lower
MAINTAINER someone
ENV key value
RUN echo "$nothing"
CMD echo hello
