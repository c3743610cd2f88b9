"""Eleven projects with a bake file."""

from tests.support.several import Several

ONE = "FROM busybox\nCOPY {0} /\nRUN echo {0} NONCE\n"

MATRIX = Several(
    "matrix",
    {
        "docker-bake.hcl": """
target "default" {
  name = "app-${replace(version, ".", "-")}"
  matrix = {
    version = ["1.0", "2.0"]
  }
  args = {
    VERSION = version
  }
}
""",
        "Dockerfile": "FROM busybox\nCOPY lib /lib\nRUN echo NONCE\nARG VERSION\nCOPY v$VERSION /v\nRUN cat /v\n",
        "lib/a": "NONCE",
        "v1.0": "1",
        "v2.0": "2",
    },
    tree={
        "app-1-0": ("FROM busybox", "COPY lib /lib", "RUN echo NONCE", "COPY v1.0 /v", "RUN cat /v"),
        "app-2-0": ("COPY v2.0 /v", "RUN cat /v"),
    },
    save=("v2.0", "22"),
    reached=frozenset({"app-2-0"}),
    ran=("app-2-0: COPY v2.0 /v", "app-2-0: RUN cat /v"),
)

GROUPS = Several(
    "nested groups",
    {
        "docker-bake.hcl": """
group "default" { targets = ["front", "tools"] }
group "front" { targets = ["web", "site"] }
group "tools" { targets = ["lint"] }
target "web" { dockerfile = "web.Dockerfile" }
target "site" {
  dockerfile = "site.Dockerfile"
  target = "out"
}
target "lint" { dockerfile = "lint.Dockerfile" }
target "unused" { dockerfile = "nowhere.Dockerfile" }
""",
        "web.Dockerfile": ONE.format("web"),
        "site.Dockerfile": ONE.format("site") + "FROM busybox AS out\nCOPY --from=0 /site /\nFROM busybox\nRUN no\n",
        "lint.Dockerfile": ONE.format("rules"),
        "web": "1",
        "site": "2",
        "rules": "3",
    },
    tree={
        "lint": ("FROM busybox", "COPY rules /", "RUN echo rules NONCE"),
        "site": ("COPY site /", "RUN echo site NONCE", "COPY --from=0 /site /"),
        "web": ("COPY web /", "RUN echo web NONCE"),
    },
    save=("rules", "33"),
    reached=frozenset({"lint"}),
    ran=("lint: COPY rules /", "lint: RUN echo rules NONCE"),
)

INHERITS = Several(
    "inherits",
    {
        "docker-bake.hcl": """
group "default" { targets = ["debug", "release"] }
target "_common" {
  context = "src"
  dockerfile = "build.Dockerfile"
  args = {
    MODE = "none"
    WHO = "us"
  }
}
target "debug" {
  inherits = ["_common"]
  args = { MODE = "debug" }
}
target "release" {
  inherits = ["_common"]
  args = { MODE = "release" }
  labels = { "org.example.mode" = "release" }
}
""",
        "src/build.Dockerfile": "FROM busybox\nARG WHO\n"
        "RUN echo $WHO NONCE\nARG MODE\nCOPY $MODE.conf /\nRUN echo $MODE\n",
        "src/debug.conf": "d",
        "src/release.conf": "r",
    },
    tree={
        "debug": ("FROM busybox", "RUN echo us NONCE", "COPY debug.conf /", "RUN echo debug"),
        "release": ("COPY release.conf /", "RUN echo release"),
    },
    save=("src/debug.conf", "dd"),
    reached=frozenset({"debug"}),
    ran=("debug: COPY debug.conf /", "debug: RUN echo debug"),
)

VARIABLES = Several(
    "functions and variables from the environment",
    {
        "docker-bake.hcl": """
variable "REGISTRY" { default = "local" }
variable "LEVEL" { default = 1 }
variable "SHOUT" { default = "" }
function "tag" {
  params = [name]
  result = ["${REGISTRY}/${name}:${LEVEL + 1}"]
}
group "default" { targets = ["one", "two"] }
target "one" {
  tags = tag("one")
  args = { LEVEL = LEVEL }
}
target "two" {
  tags = notequal("", SHOUT) ? tag(upper("two") == "TWO" ? "two" : "no") : []
  args = { LEVEL = LEVEL + 1 }
  dockerfile-inline = "FROM busybox\\nARG LEVEL\\nRUN echo $${LEVEL} NONCE\\nCOPY two /\\n"
}
""",
        "Dockerfile": "FROM busybox\nCOPY one /\nARG LEVEL\nRUN echo $LEVEL is the level NONCE\n",
        "one": "1",
        "two": "2",
    },
    tree={
        "one": ("FROM busybox", "COPY one /", "RUN echo 6 is the level NONCE"),
        "two": ("RUN echo 7 NONCE", "COPY two /"),
    },
    save=("two", "22"),
    reached=frozenset({"two"}),
    ran=("two: COPY two /",),
    environment={"LEVEL": "6", "SHOUT": "1"},
)

OVERRIDES = Several(
    "override files",
    {
        "docker-bake.hcl": """
group "default" { targets = ["web", "api"] }
target "web" { args = { WHAT = "plain" } }
target "api" { dockerfile = "api.Dockerfile" }
""",
        "docker-bake.override.hcl": """
target "web" {
  args = { WHAT = "override" }
  tags = ["hitmiss-over:web"]
}
""",
        "Dockerfile": "FROM busybox\nARG WHAT\nRUN echo $WHAT NONCE\nCOPY web /\n",
        "api.Dockerfile": ONE.format("api"),
        "web": "1",
        "api": "2",
    },
    tree={
        "api": ("FROM busybox", "COPY api /", "RUN echo api NONCE"),
        "web": ("RUN echo override NONCE", "COPY web /"),
    },
    save=("web", "11"),
    reached=frozenset({"web"}),
    ran=("web: COPY web /",),
)

JSON = Several(
    "json",
    {
        "docker-bake.json": """
{"group": {"default": {"targets": ["a", "b"]}},
 "target": {"a": {"context": "a", "dockerfile": "../Dockerfile"},
            "b": {"context": "b", "dockerfile": "../Dockerfile", "args": {"X": "${upper(\\"x\\")}"}}}}
""",
        "Dockerfile": "FROM busybox AS all\nARG X=small\nRUN echo $X NONCE\nCOPY . /srv\nFROM all\nRUN ls /srv\n",
        "a/one": "1",
        "b/two": "2",
        "b/.dockerignore": "*.log\n",
    },
    tree={
        "a": ("FROM busybox", "RUN echo small NONCE", "COPY . /srv", "RUN ls /srv"),
        "b": ("RUN echo X NONCE", "COPY . /srv", "RUN ls /srv"),
    },
    save=("b/two", "22"),
    reached=frozenset({"b"}),
    ran=("b: COPY . /srv", "b: RUN ls /srv"),
)

CHAIN = Several(
    "contexts of other targets",
    {
        "docker-bake.hcl": """
group "default" { targets = ["app", "other"] }
target "base" { dockerfile = "base.Dockerfile" }
target "middle" {
  contexts = { below = "target:base" }
  dockerfile-inline = "FROM below\\nRUN echo middle NONCE\\nCOPY middle /\\n"
}
target "app" {
  contexts = {
    below = "target:middle"
    tools = "target:base"
  }
  dockerfile = "app.Dockerfile"
}
target "other" { dockerfile-inline = "FROM busybox\\nRUN echo other NONCE\\nCOPY other /\\n" }
""",
        "base.Dockerfile": "FROM busybox AS tools\nCOPY lib /lib\nRUN echo base NONCE\n",
        "app.Dockerfile": "FROM below AS build\nCOPY app /\nRUN cat /app\nFROM busybox\nCOPY --from=tools /lib /lib\n"
        "COPY --from=build /app /middle /\n",
        "lib/a": "NONCE",
        "middle": "m",
        "app": "app",
        "other": "o",
    },
    tree={
        "base": ("FROM busybox", "COPY lib /lib", "RUN echo base NONCE"),
        "middle": ("RUN echo middle NONCE", "COPY middle /"),
        "app": ("COPY app /", "RUN cat /app", "COPY --from=tools /lib /lib", "COPY --from=build /app /middle /"),
        "other": ("RUN echo other NONCE", "COPY other /"),
    },
    save=("middle", "mm"),
    reached=frozenset({"middle", "app"}),
    ran=(
        "middle: COPY middle /",
        "app: COPY app /",
        "app: RUN cat /app",
        "app: COPY --from=build /app /middle /",
    ),
)

INLINE = Several(
    "inline Dockerfiles and named contexts",
    {
        "docker-bake.hcl": """
target "default" {
  contexts = {
    conf = "./conf"
    base = "docker-image://busybox"
  }
  dockerfile-inline = <<EOT
FROM base
COPY --from=conf . /etc/conf
RUN echo $HOME $${NOT:-set} NONCE
COPY <<EOF /generated
text with %%{ braces }
EOF
EOT
}
""",
        "conf/a.conf": "a",
    },
    tree={
        "default": (
            "COPY --from=conf . /etc/conf",
            "RUN echo $HOME ${NOT:-set} NONCE",
            "COPY <<EOF /generated",
        )
    },
    save=("conf/a.conf", "aa"),
    reached=frozenset({"default"}),
    ran=(
        "default: COPY --from=conf . /etc/conf",
        "default: RUN echo $HOME ${NOT:-set} NONCE",
        "default: COPY <<EOF /generated",
    ),
)

PLATFORMS = Several(
    "several platforms",
    {
        "docker-bake.hcl": """
group "default" { targets = ["both", "native"] }
target "both" { platforms = ["linux/amd64", "linux/arm64"] }
target "native" { dockerfile = "native.Dockerfile" }
""",
        "Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /NONCE\nCOPY all /\n",
        "native.Dockerfile": "FROM busybox\nRUN echo NONCE\nCOPY all /\n",
        "all": "1",
        "amd64": "x",
        "arm64": "a",
    },
    tree={
        "both": ("COPY amd64 /NONCE", "COPY all /", "COPY arm64 /NONCE", "COPY all /"),
        "native": ("FROM busybox", "RUN echo NONCE", "COPY all /"),
    },
    save=("arm64", "aa"),
    reached=frozenset({"both"}),
    ran=("both: COPY arm64 /NONCE", "both: COPY all /"),
)

SHARED_BY_PLATFORMS = Several(
    "steps that several platforms share",
    {
        "docker-bake.hcl": """
group "default" { targets = ["web", "docs"] }
target "web" { platforms = ["linux/amd64", "linux/arm64"] }
target "docs" {
  dockerfile = "docs.Dockerfile"
  platforms = ["linux/amd64", "linux/arm64"]
}
""",
        "Dockerfile": "FROM scratch AS last\nCOPY all /\nCOPY page /\n",
        "docs.Dockerfile": "FROM scratch AS bare\nCOPY all /\nCOPY docs /\n",
        "all": "NONCE",
        "docs": "d NONCE",
        "page": "p NONCE",
    },
    tree={"docs": ("COPY all /", "COPY docs /"), "web": ("COPY page /",)},
    save=("page", "2"),
    reached=frozenset({"web"}),
    ran=("web: COPY page /",),
)

CHOSEN = Several(
    "another folder and a chosen group",
    {
        "images/bake.hcl": """
group "default" { targets = ["nothing"] }
group "night" { targets = ["worker", "cron"] }
target "nothing" { dockerfile = "missing" }
target "worker" {
  context = "images/worker"
  args = { FLAVOUR = null }
}
target "cron" {
  inherits = ["worker"]
  no-cache-filter = ["never"]
  args = { FLAVOUR = "night" }
  target = "last"
}
""",
        "images/worker/Dockerfile": "FROM busybox AS first\nCOPY --link code /code\nRUN ls /code NONCE || true\n"
        "FROM first AS last\nARG FLAVOUR=plain\nRUN echo $FLAVOUR\nCOPY tab /\n",
        "images/worker/code/a": "a",
        "images/worker/tab": "t",
    },
    tree={
        "cron": (
            "FROM busybox",
            "COPY --link code /code",
            "RUN ls /code NONCE || true",
            "RUN echo night",
            "COPY tab /",
        ),
        "worker": ("RUN echo plain", "COPY tab /"),
    },
    save=("images/worker/tab", "tt"),
    reached=frozenset({"cron", "worker"}),
    ran=("cron: COPY tab /", "worker: COPY tab /"),
    options={"file": "images/bake.hcl", "target": "night"},
)

PROJECTS = (MATRIX, GROUPS, INHERITS, VARIABLES, OVERRIDES, JSON, CHAIN, INLINE, PLATFORMS, SHARED_BY_PLATFORMS, CHOSEN)
