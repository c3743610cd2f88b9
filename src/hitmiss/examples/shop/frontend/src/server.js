// The shop's page: asks the backend for the products and makes HTML of them.

import { readFile } from "node:fs/promises";
import express from "express";
import { page } from "./page.js";

const config = JSON.parse(await readFile(new URL("../config/shop.json", import.meta.url)));
const backend = process.env.BACKEND ?? "http://127.0.0.1:8000";
const app = express();

app.use("/static", express.static(new URL("public", import.meta.url).pathname));

app.get("/", async (request, response) => {
  const answer = await fetch(`${backend}/products`);
  const { products } = await answer.json();
  response.send(page(config.title, products));
});

app.listen(config.port, () => console.log(`listening on ${config.port}`));
