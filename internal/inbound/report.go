package inbound

import (
	"bytes"
	"strings"
)

// Report is what a server says about a mail that it could not deliver (RFC 3464).
// Everything in it is a claim of whoever sent it.
type Report struct {
	// OriginalID is the Message-ID of the mail that the report is about, with its
	// angle brackets; "" when the report does not hold it.
	OriginalID string
	Recipients []ReportedRecipient
}

// ReportedRecipient is one recipient of the mail that a report is about.
type ReportedRecipient struct {
	Address string
	Action  string // "failed", "delayed", "delivered", "relayed", "expanded"
	Status  string // enhanced status code, "5.1.1"
}

// Failed reports whether the mail did not reach somebody and will not.
func (r *Report) Failed() bool {
	for _, x := range r.Recipients {
		if x.Action == "failed" {
			return true
		}
	}
	return false
}

// maxReported bounds how many recipients of a report are read.
const maxReported = 200

// readReport reads the second and the third part of a report.
func (w *walker) readReport(params map[string]string, h header, body []byte) {
	if !strings.EqualFold(params["report-type"], "delivery-status") {
		return
	}
	kind, _ := contentType(h)
	decoded, _ := decodeTransfer(body, h.get("content-transfer-encoding"))
	if w.report == nil {
		w.report = new(Report)
	}
	switch kind {
	case "message/delivery-status", "message/global-delivery-status":
		w.report.readStatus(decoded)
	case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
		original, _ := split(bytes.TrimLeft(decoded, "\r\n"))
		w.report.OriginalID = messageID(original.get("message-id"))
	}
}

// readStatus reads the groups of fields: the first is about the mail, each other
// about a recipient.
func (r *Report) readStatus(body []byte) {
	_, rest := split(bytes.TrimLeft(body, "\r\n"))
	for len(rest) > 0 && len(r.Recipients) < maxReported {
		var h header
		h, rest = split(bytes.TrimLeft(rest, "\r\n"))
		if len(h.fields) == 0 {
			return
		}
		x := ReportedRecipient{
			Address: addressOf(h.get("final-recipient")), Action: word(h.get("action")), Status: word(h.get("status")),
		}
		if original := addressOf(h.get("original-recipient")); original != "" {
			x.Address = original
		}
		if x.Action != "" {
			r.Recipients = append(r.Recipients, x)
		}
	}
}

// addressOf reads "rfc822; name@example.org".
func addressOf(value string) string {
	kind, address, ok := strings.Cut(value, ";")
	if !ok || !strings.EqualFold(strings.TrimSpace(kind), "rfc822") {
		return ""
	}
	return writable(addressIn(address))
}

// word returns the first word of a value, in lower case.
func word(value string) string {
	words := strings.Fields(strings.ToLower(value))
	if len(words) == 0 {
		return ""
	}
	return cleanLine(words[0], 20)
}
