internal import JSON
internal import MetricModel
internal import Runtime

/// The report of an evidence pack: one self-contained HTML page that can be printed.
struct EvidenceReport {
    var scope: EvidenceScope
    var origin: String
    var verification: LedgerReport
    var checkpoint: String
    var entries: [LedgerEntry]
    var configuration: [String]

    private static let style = """
        body { font: 14px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
        h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #bbb }
        table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .25rem .5rem;
        border-bottom: 1px solid #ddd } th { background: #f3f3f3 } pre { background: #f6f6f6; padding: .6rem; overflow-x: auto;
        white-space: pre-wrap } .bad { color: #a40000; font-weight: bold } .good { color: #1a6b1a; font-weight: bold }
        @media print { body { max-width: none; margin: 0; font-size: 10pt } tr, pre { break-inside: avoid } }
        """

    /// The requirement that each part of the pack meets.
    private static let controls = [
        ("SOC 2 CC7.2", "Monitoring for anomalies", "Violations and alerts, with the measurements behind them"),
        (
            "SOC 2 CC8.1", "Changes are authorised, tested and recorded",
            "Deployments, gates, configuration changes with their author"
        ),
        ("ISO/IEC 27001 A.8.15", "Logs are kept and protected", "The signed record, its proofs and the verification"),
        ("ISO/IEC 27001 A.8.32", "Changes follow a procedure", "Plans, approvals, decisions and rollbacks"),
        ("DORA art. 9", "Protection and prevention", "Rollback rules in force and the limits they set"),
        ("DORA art. 10", "Detection", "Violations, time to detect and to act"),
        ("EU AI Act art. 12", "Automatic recording of events", "All entries of the period"),
        ("EU AI Act art. 19", "Logs are kept", "Checkpoints and retention entries"),
        ("EU AI Act art. 26", "Deployers monitor operation", "Compliance measurements and the actions that followed"),
    ]

    var html: String {
        var page = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
        page += "<title>Evidence: \(escaped(origin))</title><style>\(Self.style)</style></head><body>"
        page += "<h1>Evidence from the record of \(escaped(origin))</h1>"
        page += "<p>Period: \(time(scope.from)) to \(time(scope.through))"
        page += scope.service.map { ", service <b>\(escaped($0))</b>" } ?? ", all services"
        page += ". \(entries.count) entries.</p>"
        page += integrity + summary + incidents + changes + timeline + mapping + instructions
        return page + "</body></html>\n"
    }

    private var integrity: String {
        let state =
            verification.isIntact
            ? "<span class=\"good\">The record is intact.</span>"
            : "<span class=\"bad\">The record has been altered.</span>"
        var text =
            "<h2>Integrity</h2><p>\(state) \(verification.entries) entries were verified; \(verification.signedEntries) of "
        text +=
            "them are covered by \(verification.checkpoints) valid signed checkpoints. \(verification.batches) batches of "
        text += "measurements are as recorded.</p>"
        if !verification.gaps.isEmpty {
            let gaps = verification.gaps.map(String.init).joined(separator: ", ")
            text += "<p class=\"bad\">A person acknowledged a loss of earlier entries: see entry \(gaps).</p>"
        }
        if !verification.isIntact {
            text += "<ul>" + verification.problems.map { "<li>\(escaped($0.description))</li>" }.joined() + "</ul>"
        }
        return text + "<pre>\(escaped(checkpoint))</pre>"
    }

    private var summary: String {
        var counts: [String: Int] = [:]
        for entry in entries { counts[entry.event.kind.rawValue, default: 0] += 1 }
        let rows = counts.sorted { $0.key < $1.key }.map { "<tr><td>\($0.key)</td><td>\($0.value)</td></tr>" }
        return "<h2>Summary</h2><table><tr><th>Kind</th><th>Entries</th></tr>\(rows.joined())</table>"
    }

    /// The events of each incident, in order.
    private var incidents: String {
        let grouped = Dictionary(grouping: entries.filter { $0.event.incident != nil }) { $0.event.incident ?? "" }
        if grouped.isEmpty { return "<h2>Incidents</h2><p>None.</p>" }
        var text = "<h2>Incidents</h2>"
        for (incident, entries) in grouped.sorted(by: { $0.value[0].sequence < $1.value[0].sequence }) {
            text += "<h3>\(escaped(incident))</h3>" + table(entries)
        }
        return text
    }

    private var changes: String {
        var text = "<h2>Configuration changes</h2>"
        let changes = entries.filter { $0.event.kind == .configurationChange }
        if changes.isEmpty { text += "<p>None.</p>" }
        for entry in changes {
            text += "<h3>Entry \(entry.sequence), \(time(entry.event.milliseconds)), by \(escaped(person(entry)))</h3>"
            for file in entry.event.body["diff"]?.elements ?? [] {
                text += "<p>\(escaped(file["path"]?.text ?? ""))</p><pre>\(escaped(file["text"]?.text ?? ""))</pre>"
            }
        }
        if configuration.isEmpty { return text }
        let files = configuration.map { "<li>\(escaped($0))</li>" }.joined()
        return text + "<p>Files in force, in this directory:</p><ul>\(files)</ul>"
    }

    private var timeline: String { "<h2>All entries</h2>" + table(entries) }

    private func table(_ entries: [LedgerEntry]) -> String {
        let rows = entries.map { entry in
            let event = entry.event
            return "<tr><td>\(entry.sequence)</td><td>\(time(event.milliseconds))</td><td>\(event.kind.rawValue)</td>"
                + "<td>\(escaped(event.service ?? ""))</td><td>\(escaped(event.subject))</td>"
                + "<td>\(escaped(person(entry)))</td><td>\(escaped(digest(event.body)))</td></tr>"
        }
        return "<table><tr><th>Entry</th><th>Time (UTC)</th><th>Kind</th><th>Service</th><th>Subject</th><th>Who</th>"
            + "<th>Particulars</th></tr>\(rows.joined())</table>"
    }

    private var mapping: String {
        let rows = Self.controls.map { "<tr><td>\($0)</td><td>\($1)</td><td>\($2)</td></tr>" }
        return "<h2>Controls</h2><table><tr><th>Requirement</th><th>Asks for</th><th>Answered by</th></tr>"
            + "\(rows.joined())</table>"
    }

    private var instructions: String {
        "<h2>Verify it yourself</h2><p><code>python3 verify.py --proofs proofs.jsonl --public-key KEY</code> checks that every entry "
            + "in <code>proofs.jsonl</code> is in the signed record. Take KEY from a person whom you trust, not from "
            + "<code>public-key.txt</code>.</p>"
    }

    /// The identity, or the claimed name marked as such.
    private func person(_ entry: LedgerEntry) -> String {
        let method = entry.actor?["method"]?.text ?? ""
        if let identity = entry.actor?["identity"]?.text { return "\(identity) (\(method))" }
        if let claimed = entry.actor?["claimed"]?.text ?? entry.event.body["by"]?.text { return "\(claimed) (claimed)" }
        return method
    }

    /// The scalar members of a body, shortened.
    private func digest(_ body: JSON) -> String {
        let parts = (body.members ?? []).compactMap { member -> String? in
            switch member.value {
            case .string(let text): text.isEmpty ? nil : "\(member.name): \(text.prefix(120))"
            case .integer(let value): "\(member.name): \(value)"
            case .number(let value): "\(member.name): \(value)"
            case .bool(let value): "\(member.name): \(value)"
            default: nil
            }
        }
        return parts.prefix(8).joined(separator: "; ")
    }

    private func time(_ milliseconds: Int64) -> String { RFC3339.text(milliseconds: milliseconds) }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
