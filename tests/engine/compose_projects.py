"""Ten projects with a compose file."""

from tests.support.several import Several

SIDE_BY_SIDE = Several(
    "two services",
    {
        "compose.yaml": """
name: shop
services:
  web:
    build: web
    image: hitmiss-shop/web:NONCE
  api:
    build:
      context: api
      dockerfile: api.Dockerfile
      target: run
  db:
    image: busybox
""",
        "web/Dockerfile": "FROM busybox\nCOPY . /srv\nRUN echo web NONCE\n",
        "web/page": "p",
        "api/api.Dockerfile": "FROM busybox AS run\nRUN echo api NONCE\nCOPY main /\nFROM busybox\nRUN no\n",
        "api/main": "m",
    },
    tree={
        "api": ("FROM busybox", "RUN echo api NONCE", "COPY main /"),
        "web": ("COPY . /srv", "RUN echo web NONCE"),
    },
    save=("api/main", "mm"),
    reached=frozenset({"api"}),
    ran=("api: COPY main /",),
)

PROFILES = Several(
    "profiles",
    {
        "compose.yml": """
services:
  always:
    build: {context: ., dockerfile: always.Dockerfile}
  debug:
    profiles: [debug]
    build: {context: ., dockerfile: debug.Dockerfile}
  release:
    profiles: [release]
    build: {context: ., dockerfile: missing.Dockerfile}
""",
        "always.Dockerfile": "FROM busybox\nRUN echo always NONCE\nCOPY always /\n",
        "debug.Dockerfile": "FROM busybox\nRUN echo debug NONCE\nCOPY debug /\n",
        "always": "1",
        "debug": "2",
    },
    tree={
        "always": ("FROM busybox", "RUN echo always NONCE", "COPY always /"),
        "debug": ("RUN echo debug NONCE", "COPY debug /"),
    },
    save=("debug", "22"),
    reached=frozenset({"debug"}),
    ran=("debug: COPY debug /",),
    environment={"COMPOSE_PROFILES": "debug"},
)

PROFILE_CHOSEN = Several(
    "a service of another profile, chosen",
    {
        "docker-compose.yml": """
services:
  app:
    build: .
  tool:
    profiles: [tools]
    build:
      dockerfile_inline: |
        FROM busybox
        RUN echo tool NONCE
        COPY tool /
""",
        "Dockerfile": "FROM nowhere\n",
        "tool": "1",
    },
    tree={"tool": ("FROM busybox", "RUN echo tool NONCE", "COPY tool /")},
    save=("tool", "11"),
    reached=frozenset({"tool"}),
    ran=("tool: COPY tool /",),
    options={"target": "tool"},
)

OVERRIDES = Several(
    "override file and .env",
    {
        "compose.yaml": """
services:
  one:
    build:
      context: .
      args:
        LEVEL: ${LEVEL}
        KEPT: base
  two:
    build: {context: ., dockerfile: two.Dockerfile}
""",
        "compose.override.yaml": """
services:
  one:
    build:
      args:
        MORE: ${MORE:-of it}
""",
        ".env": "LEVEL=7\n",
        "Dockerfile": "FROM busybox\nARG LEVEL\nARG KEPT\nARG MORE\nRUN echo $LEVEL $KEPT $MORE NONCE\nCOPY one /\n",
        "two.Dockerfile": "FROM busybox\nCOPY two /\nRUN echo two NONCE\n",
        "one": "1",
        "two": "2",
    },
    tree={
        "one": ("FROM busybox", "RUN echo 7 base of it NONCE", "COPY one /"),
        "two": ("COPY two /", "RUN echo two NONCE"),
    },
    save=("two", "22"),
    reached=frozenset({"two"}),
    ran=("two: COPY two /", "two: RUN echo two NONCE"),
)

SERVICES_BELOW = Several(
    "additional contexts",
    {
        "compose.yaml": """
services:
  app:
    build:
      context: app
      additional_contexts:
        base: service:base
        conf: ./conf
        static: docker-image://busybox
  base:
    build: {context: base}
  other:
    build:
      context: .
      dockerfile_inline: |
        FROM busybox
        RUN echo other NONCE
        COPY other /
""",
        "base/Dockerfile": "FROM busybox\nCOPY lib /lib\nRUN cat /lib > /built; : NONCE\n",
        "base/lib": "l",
        "app/Dockerfile": "FROM base\nCOPY --from=conf a.conf /\n"
        "COPY --from=static /etc/passwd /was\nCOPY main /\nRUN cat /main\n",
        "app/main": "m",
        "conf/a.conf": "a",
        "other": "o",
    },
    tree={
        "base": ("FROM busybox", "COPY lib /lib", "RUN cat /lib > /built; : NONCE"),
        "app": ("COPY --from=conf a.conf /", "COPY --from=static /etc/passwd /was", "COPY main /", "RUN cat /main"),
        "other": ("RUN echo other NONCE", "COPY other /"),
    },
    save=("base/lib", "ll"),
    reached=frozenset({"base", "app"}),
    ran=(
        "base: COPY lib /lib",
        "base: RUN cat /lib > /built; : NONCE",
        "app: COPY --from=conf a.conf /",
        "app: COPY --from=static /etc/passwd /was",
        "app: COPY main /",
        "app: RUN cat /main",
    ),
)

ARGUMENTS = Several(
    "forms of arguments",
    {
        "compose.yaml": """
x-common: &common
  context: .
services:
  listed:
    build:
      <<: *common
      args:
        - A=1
        - FROM_HERE
        - PRICE=$${A}5
  mapped:
    build:
      <<: *common
      args:
        A: 2
        YES: "true"
        FROM_HERE:
""",
        "Dockerfile": "FROM busybox\nCOPY all /\nRUN echo NONCE\nARG A\nARG FROM_HERE=none\nARG PRICE\n"
        "COPY a$A /a\nRUN echo $A $FROM_HERE $PRICE\n",
        "all": "NONCE",
        "a1": "1",
        "a2": "2",
    },
    tree={
        "listed": ("FROM busybox", "COPY all /", "RUN echo NONCE", "COPY a1 /a", "RUN echo 1 here ${A}5"),
        "mapped": ("COPY a2 /a", "RUN echo 2 here $PRICE"),
    },
    save=("a1", "11"),
    reached=frozenset({"listed"}),
    ran=("listed: COPY a1 /a", "listed: RUN echo 1 here ${A}5"),
    environment={"FROM_HERE": "here"},
)

SECRETS = Several(
    "secrets, labels and networks",
    {
        "compose.yaml": """
services:
  app:
    build:
      context: .
      secrets:
        - token
        - source: from_env
          target: other
      labels: [org.example=1]
      network: none
      shm_size: 64mb
      extra_hosts: ["somewhere=10.0.0.1"]
  plain:
    build:
      dockerfile_inline: |
        FROM busybox
        COPY app /
        RUN echo plain NONCE
secrets:
  token:
    file: ./token.txt
  from_env:
    environment: HITMISS_TEST_VALUE
""",
        "Dockerfile": "FROM busybox\nRUN --mount=type=secret,id=token --mount=type=secret,id=other "
        "cat /run/secrets/* | wc -c; : NONCE\nCOPY app /\nRUN echo done\n",
        "token.txt": "hunter22",
        "app": "1",
        ".dockerignore": "token.txt\n",
    },
    tree={
        "app": (
            "FROM busybox",
            "RUN --mount=type=secret,id=token --mount=type=secret,id=other cat /run/secrets/* | wc -c; : NONCE",
            "COPY app /",
            "RUN echo done",
        ),
        "plain": ("COPY app /", "RUN echo plain NONCE"),
    },
    save=("app", "11"),
    reached=frozenset({"app", "plain"}),
    ran=("app: COPY app /", "app: RUN echo done", "plain: COPY app /", "plain: RUN echo plain NONCE"),
    environment={"HITMISS_TEST_VALUE": "hidden"},
)

X_BAKE = Several(
    "x-bake and image names",
    {
        "compose.yaml": """
services:
  one:
    image: hitmiss-one
    build:
      context: .
      tags: [hitmiss-one:more]
      x-bake:
        tags: [hitmiss-one:baked]
        no-cache-filter: never
  two.five:
    image: hitmiss-two
    build:
      context: .
      args: {WHICH: two}
""",
        "Dockerfile": "FROM busybox\nARG WHICH=one\nRUN echo $WHICH NONCE\nCOPY $WHICH /which\n",
        "one": "1",
        "two": "2",
    },
    tree={
        "one": ("FROM busybox", "RUN echo one NONCE", "COPY one /which"),
        "two_five": ("RUN echo two NONCE", "COPY two /which"),
    },
    save=("two", "22"),
    reached=frozenset({"two_five"}),
    ran=("two_five: COPY two /which",),
)

NAMED_BY_ENVIRONMENT = Several(
    "COMPOSE_FILE",
    {
        ".env": "COMPOSE_FILE=stack/base.yaml:stack/dev.yaml\n",
        "stack/base.yaml": """
services:
  web:
    build: {context: web}
  site:
    build: {context: site}
""",
        "stack/dev.yaml": """
services:
  web:
    build:
      args: {MODE: dev}
""",
        "stack/web/Dockerfile": "FROM busybox\nARG MODE=prod\nRUN echo $MODE NONCE\nCOPY web /\n",
        "stack/web/web": "1",
        "stack/site/Dockerfile": "FROM busybox\nRUN echo site NONCE\nCOPY site /\n",
        "stack/site/site": "1",
        "Dockerfile": "FROM nowhere\n",
    },
    tree={
        "site": ("FROM busybox", "RUN echo site NONCE", "COPY site /"),
        "web": ("RUN echo dev NONCE", "COPY web /"),
    },
    save=("stack/site/site", "11"),
    reached=frozenset({"site"}),
    ran=("site: COPY site /",),
)

GIVEN = Several(
    "a file that is given, with what it includes and extends",
    {
        "deploy/prod.yaml": """
include: [more.yaml]
services:
  main:
    extends: {file: common.yaml, service: common}
    build:
      args: {WHO: main}
""",
        "deploy/more.yaml": "services:\n  more:\n    build: {context: .., dockerfile: more.Dockerfile}\n",
        "deploy/common.yaml": "services:\n  common:\n    build: {context: .., args: {WHO: nobody, X: '1'}}\n",
        "Dockerfile": "FROM busybox\nARG WHO\nARG X\nRUN echo $WHO $X NONCE\nCOPY main /\n",
        "more.Dockerfile": "FROM busybox\nRUN echo more NONCE\nCOPY more /\n",
        "main": "1",
        "more": "2",
    },
    tree={
        "main": ("FROM busybox", "RUN echo main 1 NONCE", "COPY main /"),
        "more": ("RUN echo more NONCE", "COPY more /"),
    },
    save=("more", "22"),
    reached=frozenset({"more"}),
    ran=("more: COPY more /",),
    options={"file": "deploy/prod.yaml"},
)

PROJECTS = (
    *(SIDE_BY_SIDE, PROFILES, PROFILE_CHOSEN, OVERRIDES, SERVICES_BELOW),
    *(ARGUMENTS, SECRETS, X_BAKE, NAMED_BY_ENVIRONMENT, GIVEN),
)
