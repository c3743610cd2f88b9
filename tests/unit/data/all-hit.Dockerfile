FROM busybox AS base
WORKDIR /app
COPY requirements.txt .
RUN cat requirements.txt > /deps

FROM base AS assets
COPY src/ src/
RUN mkdir /out && cat src/* > /out/bundle && printf 'one\rtwo\n\033[31mred\033[0m\n'

FROM base AS final
COPY --from=assets /out /out
COPY --link requirements.txt /copy
CMD ["cat", "/out/bundle"]
