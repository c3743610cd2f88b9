"""The shop's products as JSON."""

import os
import tomllib
from pathlib import Path

from flask import Flask

CONFIG = Path(__file__).parents[1] / "config" / "products.toml"
CURRENCY = os.environ.get("SHOP_CURRENCY", "EUR")

app = Flask(__name__)
products = tomllib.loads(CONFIG.read_text())["products"]


@app.get("/products")
def list_products() -> dict[str, list[dict[str, str]]]:
    return {"products": [{"name": p["name"], "price": f"{p['price']:.2f} {CURRENCY}"} for p in products]}
