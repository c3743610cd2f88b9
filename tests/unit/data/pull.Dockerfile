FROM 127.0.0.1:5077/base:1
RUN echo fetched
