"""Short links: POST an address to /links, and what comes back leads there."""

from hashlib import sha256

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, HttpUrl

app = FastAPI(title="links")
_links: dict[str, str] = {}


class Link(BaseModel):
    address: HttpUrl


@app.post("/links", status_code=201)
def shorten(link: Link) -> dict[str, str]:
    address = str(link.address)
    name = sha256(address.encode()).hexdigest()[:7]
    _links[name] = address
    return {"name": name, "address": address}


@app.get("/{name}")
def follow(name: str) -> RedirectResponse:
    if name not in _links:
        raise HTTPException(404, "No such link.")
    return RedirectResponse(_links[name])
