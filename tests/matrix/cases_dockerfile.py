"""Edits of the Dockerfile: text, order, variables, arguments."""

from __future__ import annotations

from tests.matrix.case import (
    ARGUMENT,
    BASE,
    ENVIRONMENT,
    INSERTED,
    INSTRUCTION,
    PARENT,
    REMOVED,
    Case,
    Miss,
    miss,
    then,
)
from tests.matrix.moves import edit, options

APP = """
    FROM busybox AS app
    RUN echo one NONCE > /one
    RUN echo two > /two
    COPY src/ src/
    RUN echo three > /three
    CMD ["sh"]
"""
TREE = {"src/a": "a"}
ONE, TWO, COPY, THREE = "app RUN echo one", "app RUN echo two", "app COPY", "app RUN echo three"

SET = """
    FROM busybox AS app
    COPY src/ /NONCE/
    ENV LEVEL=1
    COPY src/ src/
    RUN echo one > /one
    RUN echo two > /two
"""
ASKED = """
    FROM busybox AS app
    RUN : NONCE
    ARG VALUE=none
    COPY src/ src/
    RUN echo $VALUE > /value
    RUN echo below
"""


def arg(text: str) -> tuple[str, str]:
    return ("--build-arg", text)


CASES = (
    Case(
        "RUN's text",
        APP,
        (
            then(
                edit("echo two >", "echo 2 >"),
                misses=miss("app RUN echo 2", INSTRUCTION, below=(COPY, THREE), old="echo two", new="echo 2"),
            ),
        ),
        TREE,
    ),
    Case(
        "white space inside a RUN",
        APP,
        (then(edit("echo two >", "echo  two >"), misses=miss("app RUN echo  two", INSTRUCTION, below=(COPY, THREE))),),
        TREE,
    ),
    Case(
        "comment",
        APP,
        (
            then(edit("RUN echo two", "# why\nRUN echo two")),
            then(edit("RUN echo two > /two", "RUN echo two \\\n  # inside\n> /two")),
        ),
        TREE,
    ),
    Case("CMD", APP, (then(edit('CMD ["sh"]', 'CMD ["ls"]')), then(edit('CMD ["ls"]', "ENTRYPOINT ls"))), TREE),
    Case(
        "LABEL inserted, changed, removed",
        APP,
        (
            then(edit("RUN echo two", "LABEL a=1\nRUN echo two")),
            then(edit("LABEL a=1", "LABEL a=2")),
            then(edit("LABEL a=2\n", "")),
        ),
        TREE,
    ),
    Case(
        "EXPOSE, VOLUME and STOPSIGNAL",
        APP,
        (then(edit("COPY src/", "EXPOSE 80\nVOLUME /data\nSTOPSIGNAL 9\nCOPY src/")),),
        TREE,
    ),
    Case("instruction in small letters", APP, (then(edit("RUN echo two", "run echo two")),), TREE),
    Case(
        "step inserted at the top",
        APP,
        (
            then(
                edit("RUN echo one", "RUN echo new\nRUN echo one"),
                misses=miss("app RUN echo new", INSERTED, below=(ONE, TWO, COPY, THREE)),
            ),
        ),
        TREE,
    ),
    Case(
        "step inserted in the middle",
        APP,
        (
            then(
                edit("COPY src/", "RUN echo new\nCOPY src/"),
                misses=miss("app RUN echo new", INSERTED, below=(COPY, THREE)),
            ),
        ),
        TREE,
    ),
    Case(
        "steps inserted, two in a row",
        APP,
        (
            then(
                edit("COPY src/", "RUN echo new\nWORKDIR /fresh\nCOPY src/"),
                misses=miss("app RUN echo new", INSERTED, below=("app WORKDIR", COPY, THREE)),
            ),
        ),
        TREE,
    ),
    Case(
        "step inserted at the end",
        APP,
        (then(edit("CMD", "RUN echo new\nCMD"), misses=miss("app RUN echo new", INSERTED)),),
        TREE,
    ),
    Case(
        "step removed in the middle",
        APP,
        (then(edit("RUN echo two > /two\n", ""), misses=miss(COPY, REMOVED, below=(THREE,))),),
        TREE,
    ),
    Case(
        "step removed at the top",
        APP,
        (then(edit("RUN echo one NONCE > /one\n", ""), misses=miss(TWO, REMOVED, below=(COPY, THREE))),),
        {"src/a": "a"},
    ),
    Case("step removed at the end", APP, (then(edit("RUN echo three > /three\n", "")),), TREE),
    Case(
        "step there and gone again",
        APP,
        (
            then(
                edit("RUN echo three", "RUN echo new\nRUN echo three"),
                misses=miss("app RUN echo new", INSERTED, below=(THREE,)),
            ),
            then(edit("RUN echo new\n", ""), notes={THREE: "went-back"}),
        ),
        TREE,
    ),
    Case(
        "two RUNs swapped",
        APP.replace("echo two", "echo two NONCE"),
        (
            then(
                edit(
                    "RUN echo one NONCE > /one\nRUN echo two NONCE > /two",
                    "RUN echo two NONCE > /two\nRUN echo one NONCE > /one",
                ),
                misses=None,
            ),
        ),
        TREE,
    ),
    Case(
        "two edits at once, in one stage",
        APP,
        (
            then(
                edit("echo two >", "echo 2 >"),
                edit("echo three >", "echo 3 >"),
                misses=miss("app RUN echo 2", INSTRUCTION, below=(COPY, "app RUN echo 3")),
            ),
        ),
        TREE,
    ),
    Case(
        "ENV's value",
        SET,
        (then(edit("LEVEL=1", "LEVEL=2"), misses=miss(ONE, ENVIRONMENT, below=(TWO,), old="1", new="2")),),
        TREE,
    ),
    Case(
        "ENV added and removed",
        SET,
        (
            then(edit("ENV LEVEL=1", "ENV LEVEL=1 MORE=x"), misses=miss(ONE, ENVIRONMENT, below=(TWO,))),
            then(edit("ENV LEVEL=1 MORE=x\n", ""), misses=miss(ONE, ENVIRONMENT, below=(TWO,))),
        ),
        TREE,
    ),
    Case(
        "ENV that a COPY's place is made of",
        "FROM busybox AS app\nENV AT=/NONCE\nCOPY src/ $AT/\nRUN echo one\n",
        (then(edit("AT=/NONCE", "AT=/NONCE/x"), misses=miss(COPY, ENVIRONMENT, below=(ONE,))),),
        TREE,
    ),
    Case(
        "USER",
        SET.replace("ENV LEVEL=1", "USER 0"),
        (then(edit("USER 0", "USER root:root"), misses=miss(ONE, ENVIRONMENT, below=(TWO,))),),
        TREE,
    ),
    Case(
        "SHELL",
        SET.replace("ENV LEVEL=1", 'SHELL ["sh", "-c"]'),
        (then(edit('["sh", "-c"]', '["sh", "-ec"]'), misses=miss(ONE, ENVIRONMENT, below=(TWO,))),),
        TREE,
    ),
    Case(
        "WORKDIR",
        SET.replace("ENV LEVEL=1", "WORKDIR /old"),
        (
            then(
                edit("/old", "/new"),
                misses=miss("app WORKDIR", INSTRUCTION, below=("app COPY src/ src/", ONE, TWO), old="/old", new="/new"),
            ),
        ),
        TREE,
    ),
    Case(
        "argument used in a RUN",
        ASKED,
        (
            then(
                options(*arg("VALUE=first")),
                misses=miss("app RUN echo first", ARGUMENT, below=("app RUN echo below",), old="none", new="first"),
            ),
            then(
                options(*arg("VALUE=second")),
                misses=miss("app RUN echo second", ARGUMENT, below=("app RUN echo below",), old="first", new="second"),
            ),
            then(options(*arg("VALUE=first")), notes={"app RUN echo first": "went-back"}),
            then(options()),
        ),
        TREE,
    ),
    Case(
        "argument's default",
        ASKED,
        (
            then(
                edit("VALUE=none", "VALUE=some"),
                misses=miss("app RUN echo some", ARGUMENT, below=("app RUN echo below",), old="none", new="some"),
            ),
        ),
        TREE,
    ),
    Case(
        "argument that is declared and not used",
        ASKED.replace("$VALUE", "value"),
        (
            then(
                options(*arg("VALUE=first")),
                misses=miss("app RUN echo value", ARGUMENT, below=("app RUN echo below",), old="none", new="first"),
            ),
        ),
        TREE,
    ),
    Case("argument that nothing declares", ASKED, (then(options(*arg("NOBODY=1"))),), TREE),
    Case(
        "argument that is declared late",
        "FROM busybox AS app\nRUN echo one NONCE\nRUN echo two\nARG VALUE\nRUN echo three $VALUE\n",
        (then(options(*arg("VALUE=first")), misses=miss(THREE, ARGUMENT, new="first")),),
        TREE,
    ),
    Case(
        "argument used in a COPY's path",
        "FROM busybox AS app\nARG WHICH=a\nCOPY src/$WHICH /NONCE\nRUN echo one\n",
        (then(options(*arg("WHICH=b")), misses=miss(COPY, ARGUMENT, below=(ONE,), old="a", new="b")),),
        {"src/a": "a", "src/b": "b"},
    ),
    Case(
        "argument that becomes a variable",
        "FROM busybox AS app\nRUN : NONCE\nARG VERSION=1\nENV V=$VERSION\nRUN echo one\nRUN echo two\n",
        (then(options(*arg("VERSION=2")), misses=miss(ONE, ARGUMENT, below=(TWO,), old="1", new="2")),),
        TREE,
    ),
    Case(
        "argument whose name looks secret",
        ASKED.replace("VALUE=none", "API_TOKEN").replace("$VALUE", "value"),
        (
            then(
                options(*arg("API_TOKEN=hush-two-NONCE")),
                misses=miss("app RUN echo value", ARGUMENT, below=("app RUN echo below",)),
            ),
            then(options(*arg("API_TOKEN=hush-one-NONCE"))),
        ),
        TREE,
        options=arg("API_TOKEN=hush-one-NONCE"),
        secrets=("hush-one-NONCE", "hush-two-NONCE"),
    ),
    Case(
        "argument that looks secret and has a word of the Dockerfile for its value",
        """
        FROM busybox AS vault
        RUN mkdir /vault /NONCE
        ARG DB_PASSWORD
        ARG VALUE=one
        RUN echo $VALUE > /vault/value
        RUN : below
        """,
        (
            then(
                options(*arg("DB_PASSWORD=vault"), *arg("VALUE=two")),
                misses=miss("vault RUN echo", ARGUMENT, below=("vault RUN : below",), old="one", new="two"),
            ),
            then(
                options(*arg("DB_PASSWORD=other"), *arg("VALUE=two")),
                misses=miss("vault RUN echo", ARGUMENT, below=("vault RUN : below",), old="hidden", new="hidden"),
            ),
            then(options(*arg("DB_PASSWORD=vault"))),
        ),
        TREE,
        options=arg("DB_PASSWORD=vault"),
    ),
    Case(
        "argument of the file, used in FROM",
        "ARG IMAGE=busybox\nFROM ${IMAGE} AS app\nRUN echo one NONCE\nRUN echo two\n",
        (then(options(*arg("IMAGE=other-base")), misses=miss(ONE, BASE, below=(TWO,))),),
        TREE,
    ),
    Case(
        "argument of the file, taken into a stage",
        "ARG LEVEL=1\nFROM busybox AS app\nRUN echo one NONCE\nARG LEVEL\nRUN echo two\n",
        (then(options(*arg("LEVEL=2")), misses=miss(TWO, ARGUMENT, old="1", new="2")),),
        TREE,
    ),
    Case(
        "two arguments at once, below each other",
        "FROM busybox AS app\nARG A=1\nRUN echo one NONCE\nARG B=1\nRUN echo two\n",
        (then(options(*arg("A=2"), *arg("B=2")), misses=(*miss(ONE, ARGUMENT), Miss(TWO, PARENT, root=ONE))),),
        TREE,
    ),
    Case(
        "USER and WORKDIR above what they do not show in",
        """
        FROM busybox AS app
        RUN : NONCE
        ARG OWNER=0
        USER $OWNER
        WORKDIR /made
        COPY --link src/a ./NONCE/
        """,
        (
            then(
                edit("USER $OWNER", "USER 1000"),
                misses=miss("app WORKDIR", ENVIRONMENT, old="root", new="1000", said="USER"),
            ),
            then(
                edit("USER 1000", "USER $OWNER"),
                options(*arg("OWNER=1001")),
                misses=miss("app WORKDIR", ARGUMENT, new="OWNER=1001"),
            ),
            then(
                edit("/made", "/other"),
                misses=miss("app WORKDIR", INSTRUCTION)
                + miss("app COPY", ENVIRONMENT, old="/made", new="/other", said="WORKDIR"),
            ),
            then(
                options(*arg("OWNER=1001"), *arg("SOURCE_DATE_EPOCH=1000000")),
                misses=miss("app WORKDIR", ARGUMENT, new="SOURCE_DATE_EPOCH=1000000"),
            ),
        ),
        TREE,
    ),
    Case(
        "scratch and an image, there and back",
        """
        FROM busybox AS make
        RUN mkdir /o; echo NONCE > /o/x
        FROM scratch AS app
        COPY --from=make /o /o
        COPY src/a /NONCE/
        """,
        (
            then(
                edit("FROM scratch", "FROM busybox"),
                misses=miss("app COPY --from", BASE, below=("app COPY src",), old="scratch", new="busybox"),
            ),
            then(edit("FROM busybox AS app", "FROM scratch AS app")),
            then(edit("COPY --from=make /o /o\n", ""), misses=miss("app COPY", REMOVED, old="COPY --from=make")),
        ),
        TREE,
    ),
    Case(
        "argument of a stage that an automatic argument names",
        "FROM busybox AS on-linux\nRUN : NONCE\nARG LEVEL=1\nFROM on-${TARGETOS} AS app\nRUN echo $LEVEL\nRUN ls\n",
        (
            then(
                edit("LEVEL=1", "LEVEL=2"),
                misses=miss("app RUN echo", ARGUMENT, below=("app RUN ls",), old="1", new="2"),
            ),
        ),
    ),
    Case(
        "argument of an ONBUILD line",
        "FROM busybox AS base\nRUN : NONCE\nONBUILD ARG LEVEL=1\nONBUILD RUN echo $LEVEL\nFROM base AS app\nRUN ls\n",
        (then(options(*arg("LEVEL=2")), misses=miss("app ONBUILD RUN", ARGUMENT, below=("app RUN ls",), new="2")),),
    ),
)
