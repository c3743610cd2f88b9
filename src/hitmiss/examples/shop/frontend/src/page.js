import escape from "escape-html";

export function page(title, products) {
  const items = products.map(({ name, price }) => `<li>${escape(name)} <b>${escape(price)}</b></li>`);
  return `<!doctype html>
<title>${escape(title)}</title>
<link rel="stylesheet" href="/static/shop.css">
<h1>${escape(title)}</h1>
<ul>${items.join("")}</ul>`;
}
