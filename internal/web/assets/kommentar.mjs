// The proof of work of a comment form: asked for only when very many comments come from one network, and only so that a
// comment need not wait for a person. Without this script, or where the browser cannot hash, the comment is sent as it
// is and waits.
const form = document.getElementById("kommentarformular");
const proof = form?.elements.namedItem("nachweis");
const token = form?.elements.namedItem("formular")?.value;
const BITS = 16;

async function work() {
  const encoder = new TextEncoder();
  for (let n = 0; n < 2 ** 22; n++) {
    const text = n.toString(36);
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(`${token}:${text}`)));
    if (((sum[0] << 8) | sum[1]) >>> (16 - BITS) === 0) return text;
  }
  return "";
}

if (proof && token && globalThis.crypto?.subtle) {
  let found;
  form.addEventListener("focusin", () => (found ??= work()), { once: true });
  form.addEventListener("submit", async (event) => {
    if (proof.value) return;
    event.preventDefault();
    proof.value = (await (found ??= work())) || "-";
    form.requestSubmit();
  });
}
