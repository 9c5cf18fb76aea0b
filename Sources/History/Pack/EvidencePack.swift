internal import Glibc
internal import JSON
internal import MetricModel
internal import Runtime
internal import TLS

/// The part of the record in an evidence pack.
public struct EvidenceScope: Sendable {
    /// The first time, in milliseconds since the epoch.
    public var from: Int64
    /// The last time, in milliseconds since the epoch.
    public var through: Int64
    /// Only entries of this service and those without a service; `nil` for all.
    public var service: String?

    /// A period.
    public init(from: Int64, through: Int64, service: String? = nil) {
        self.from = from
        self.through = through
        self.service = service
    }
}

/// A directory that proves without Tribune what happened in a period, and that it was not altered since.
///
/// ```text
/// report.html         for people; prints
/// report.pdf          the same, where Chromium is installed
/// entries.jsonl       the leaves of the period, one per line
/// proofs.jsonl        an inclusion proof for each of them
/// checkpoint.txt      the signed checkpoint that the proofs lead to
/// public-key.txt      the keys that sign checkpoints
/// measurements.csv    the measurements that the entries vouch for
/// configuration/      the configuration files that were in force
/// verify.py           checks the proofs with nothing but Python
/// ```
extension LedgerAudit {
    /// The limit of entries in a pack.
    private static let packLimit = 50_000

    /// Writes an evidence pack into `directory`, which is created and must not exist. Returns the number of entries.
    public func pack(
        _ scope: EvidenceScope, to directory: String, printsPDF: Bool = true
    ) throws(HistoryError) -> Int {
        let verification = try verify()
        let ledger = try openLedger()
        guard let note = try ledger.newestNote(), let body = NoteVerifier.parts(of: note)?.body,
            let checkpoint = Checkpoint(body: body)
        else { throw HistoryError(.invalid, "there is no checkpoint yet") }
        let rows = try rows(of: scope, ledger, through: checkpoint.size)
        guard unsafe mkdir(directory, 0o755) == 0 else { throw .file("create the directory", directory) }
        let reader = CachedHashes(try ledger.merkleReader())
        let entries = try LineWriter(path: directory + "/entries.jsonl")
        let proofs = try LineWriter(path: directory + "/proofs.jsonl")
        for row in rows {
            try entries.write(row.leaf)
            let proof = LedgerProof(
                leaf: row.leaf, index: row.sequence - 1,
                path: try reader.reader.inclusion(of: row.sequence - 1, in: checkpoint.size), checkpoint: note,
                disclosures: try ledger.disclosures(of: row.sequence...row.sequence)[row.sequence] ?? [])
            try proofs.write(proof.json.encoded)
        }
        try entries.finish()
        try proofs.finish()
        try write(note, to: directory + "/checkpoint.txt")
        try write(verification.publicKey + "\n", to: directory + "/public-key.txt")
        let script = try LineWriter(path: directory + "/verify.py")
        try script.write(bytes: PackageResources.verify_py)
        try script.finish()
        try writeMeasurements(of: rows, ledger, to: directory + "/measurements.csv")
        let configuration = try writeConfiguration(scope, ledger, to: directory + "/configuration")
        let opened = try ledger.entries(of: rows)
        let report = EvidenceReport(
            scope: scope, origin: checkpoint.origin, verification: verification, checkpoint: note, entries: opened,
            configuration: configuration)
        try write(report.html, to: directory + "/report.html")
        if printsPDF { print(directory) }
        return rows.count
    }

    private func write(_ text: String, to path: String) throws(HistoryError) {
        let file = try LineWriter(path: path)
        try file.write(bytes: Array(text.utf8))
        try file.finish()
    }

    private func rows(
        of scope: EvidenceScope, _ ledger: Ledger, through size: Int64
    ) throws(HistoryError) -> [LedgerRow] {
        var found: [LedgerRow] = []
        var before = size + 1
        while true {
            var query = LedgerQuery(from: scope.from, through: scope.through, before: before, limit: 5000)
            query.includesNone = true
            query.service = scope.service
            let page = try ledger.rows(query)
            guard let last = page.last?.sequence else { return found.reversed() }
            found += page
            before = last
            guard found.count <= Self.packLimit else {
                throw HistoryError(
                    .tooMuch, "the period holds more than \(Self.packLimit) entries: choose a shorter one")
            }
        }
    }

    private func writeMeasurements(of rows: [LedgerRow], _ ledger: Ledger, to path: String) throws(HistoryError) {
        let file = try LineWriter(path: path)
        try file.write("entry,time,labels,value")
        for row in rows where row.kind == LedgerEvent.Kind.measurements.rawValue {
            guard let batch = try ledger.measurements(of: row.sequence...row.sequence)[row.sequence] else { continue }
            for sample in batch.samples {
                let labels = batch.series[Int(sample.series)].replacing("\"", with: "\"\"")
                let time = RFC3339.text(milliseconds: sample.milliseconds)
                try file.write("\(row.sequence),\(time),\"\(labels)\",\(sample.value)")
            }
        }
        try file.finish()
    }

    /// Writes the files in force at the start of the period and at each change in it. Returns their locations.
    private func writeConfiguration(
        _ scope: EvidenceScope, _ ledger: Ledger, to directory: String
    ) throws(HistoryError) -> [String] {
        let kinds: [LedgerEvent.Kind] = [.configurationChange]
        let before = try ledger.rows(LedgerQuery(kinds: kinds, through: scope.from, limit: 1))
        let within = try ledger.rows(LedgerQuery(kinds: kinds, from: scope.from, through: scope.through, limit: 1000))
        guard unsafe mkdir(directory, 0o755) == 0 else { throw .file("create the directory", directory) }
        var places: [String] = []
        for row in (within + before).reversed() {
            guard let content = LeafContent(row.leaf) else { continue }
            let folder = "\(directory)/entry-\(row.sequence)"
            guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else {
                throw .file("create the directory", folder)
            }
            for file in content.body["files"]?.elements ?? [] {
                guard let path = file["path"]?.text, let hash = BlobReference.hashes(in: file).first,
                    let bytes = try ledger.blob(hash)
                else { continue }
                let name = path.replacing("/", with: "_")
                let place = "configuration/entry-\(row.sequence)/\(name)"
                if places.contains(place) { continue }
                let writer = try LineWriter(path: "\(folder)/\(name)")
                try writer.write(bytes: bytes)
                try writer.finish()
                places.append(place)
            }
        }
        return places
    }

    /// Prints the report as PDF if Chromium is installed. Otherwise there is only the HTML.
    private func print(_ place: String) {
        guard let resolved = unsafe realpath(place, nil) else { return }
        defer { unsafe free(resolved) }
        let directory = unsafe String(cString: resolved)
        let arguments = [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
            "--print-to-pdf=\(directory)/report.pdf", "file://\(directory)/report.html",
        ]
        guard case .some(let process) = try? ChildProcess(arguments) else { return }
        if process.wait(milliseconds: 60_000) == nil { process.stop(graceMilliseconds: 1000) }
    }
}

/// Stored hashes, read once: proofs of neighbouring entries share nearly all of them.
private final class CachedHashes {
    private struct Key: Hashable {
        var level: Int
        var positions: Range<Int64>
    }

    private var known: [Key: [[UInt8]]] = [:]
    private let base: MerkleReader

    init(_ base: MerkleReader) {
        self.base = base
    }

    var reader: MerkleReader {
        MerkleReader { [self] (level, positions) throws(HistoryError) in
            let key = Key(level: level, positions: positions)
            if let hashes = known[key] { return hashes }
            let hashes = try base.hashes(level, positions)
            known[key] = hashes
            return hashes
        }
    }
}
