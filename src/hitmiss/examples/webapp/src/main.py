"""A web app of one page. Change the greeting, save, and watch which steps run."""

from flask import Flask, send_from_directory

from greeting import greet

app = Flask(__name__, static_folder=None)


@app.get("/")
def index() -> str:
    return f'<link rel="stylesheet" href="/static/bundle.css"><h1>{greet("world")}</h1>'


@app.get("/static/<path:name>")
def static(name: str):
    return send_from_directory("/app/static", name)


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
