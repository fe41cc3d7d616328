// Package ui is the interface kit of Poststelle: the page frame and the components every page is built from.
//
// Look and markup follow KERN-UX (classes kern-*), the design system of the German administration; what KERN lacks is
// ours (classes ps-*, stylesheet poststelle.css). A component is a templ function of one typed argument. Texts handed
// to a component are already in the reader's language; the words a component adds itself come from the catalogue under
// "ui.". No component needs a script, writes a style attribute or an inline script, or reads anything but its argument
// and the context.
//
// What a page has to do:
//
//   - Hand a View to Layout with the Frame of the request. Layout puts what components need (asset addresses, open help
//     texts, the clock) into the context, so a component rendered outside Layout needs With first.
//   - Write addresses without the locale prefix and pass them through Href; components do that with the addresses they
//     are given, so pages hand over plain paths.
//   - Give a Form its fields in order, one ErrorSummary above it, and set View.Errors: title, focus and alert follow.
//   - Show foreign text (names, subjects, file names, letters) only through SafeText or SafeLines.
//
// # Help texts that stay open
//
// Help is a native details element: it opens and closes without a script and without a request. Whether it is open when
// a page is built comes from the display cookie (Frame.Display, name "hilfe_<id>", value "auf" or "zu"). A reader keeps
// the state in one of two ways. With scripts, basis.mjs posts every toggle to /anzeige. Without, the open help text ends
// in a quiet submit button named "hilfe" with the value "<id>:auf" or "<id>:zu": it belongs to the form around it, so
// all that was typed arrives with it. The page's POST handler calls HelpChoice first; if it says yes, the handler keeps the
// values, sets the display cookie and answers with the same page, without checking the fields. Because the first submit
// button of a form is the one that Enter presses, such a form sets FormSpec.Default.
package ui
