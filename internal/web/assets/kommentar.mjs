// The proof of work of a comment form: asked for only when very many comments come from one network, and only so that a
// comment need not wait for a person. Without this script, or where the browser cannot hash, the comment is sent as it
// is and waits.
const form = document.getElementById("kommentarformular");
const proof = form?.elements.namedItem("nachweis");
const token = form?.elements.namedItem("formular")?.value;
const AT_ONCE = 256; // one hash after the other would take five times as long

// A text whose hash together with the form begins with sixteen zero bits; "-", which proves nothing, if there is none.
async function work() {
  const encoder = new TextEncoder();
  for (let n = 0; n < 2 ** 20; n += AT_ONCE) {
    const texts = Array.from({ length: AT_ONCE }, (_, i) => (n + i).toString(36));
    const sums = await Promise.all(texts.map((text) => crypto.subtle.digest("SHA-256", encoder.encode(`${token}:${text}`))));
    const found = sums.findIndex((sum) => new DataView(sum).getUint16(0) === 0);
    if (found >= 0) return texts[found];
  }
  return "-";
}

if (proof && token && globalThis.crypto?.subtle) {
  let working;
  const begin = () => (working ??= work().catch(() => "-").then((text) => { proof.value = text; }));
  form.addEventListener("focusin", begin, { once: true });
  form.addEventListener("submit", (event) => {
    if (proof.value) return;
    event.preventDefault();
    // In a task of its own: from within its submit event a form does not submit again.
    begin().then(() => setTimeout(() => form.requestSubmit()));
  });
}
