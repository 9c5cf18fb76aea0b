internal import JSON
internal import MetricModel
internal import Runtime
internal import TLS

/// A backup of the ledger: a base, or what was added since the backup before. A directory with the files of an export
/// and `backup.json`.
///
/// ```text
/// base-000000000495-20261128T100000Z/        entries 1-495 with their measurements
/// increment-000000000600-20261129T100000Z/   entries 496-600
/// ```
public struct LedgerBackup: Equatable, Sendable {
    /// The name of its directory.
    public var name: String
    /// The backup that it continues; `nil` for a base.
    public var parent: String?
    /// The ledger.
    public var origin: String
    /// Entries that the backups before hold.
    public var from: Int64
    /// Entries of the record as it was.
    public var through: Int64
    /// When it was made, in milliseconds since the epoch.
    public var createdAt: Int64
    /// The root over the entries, in base64.
    public var root: String
    /// A signed note: over all entries where the node's key was there, else the newest one.
    public var checkpoint: String?
    /// How often the ledger had been taken over.
    var epoch: Int64
    /// How far the ledger had each spool.
    var spools: [String: Int64]

    static let file = "backup.json"

    var json: JSON {
        [
            "checkpoint": checkpoint.map(JSON.string) ?? .null, "created": .integer(createdAt),
            "epoch": .integer(epoch), "format": 1, "from": .integer(from), "origin": .string(origin),
            "parent": parent.map(JSON.string) ?? .null, "root": .string(root),
            "spools": .object(spools.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) }),
            "through": .integer(through),
        ]
    }

    init(_ head: LedgerHead, after parent: LedgerBackup?, at now: Int64) {
        let digits = String(head.size)
        let time = RFC3339.text(milliseconds: now - now % 1000).filter { $0 != "-" && $0 != ":" }
        let kind = parent == nil ? "base" : "increment"
        name = "\(kind)-\(String(repeating: "0", count: max(0, 12 - digits.count)))\(digits)-\(time)"
        self.parent = parent?.name
        origin = head.origin
        from = parent?.through ?? 0
        through = head.size
        createdAt = now
        root = Base64.text(head.tree.root)
        epoch = head.epoch
        spools = [:]
    }

    /// Reads the description of the backup in `directory`.
    init(name: String, in directory: String) throws(HistoryError) {
        let path = "\(directory)/\(name)/\(Self.file)"
        guard let text = FileText.read(path) else { throw .file("read", path) }
        guard case .some(let json) = try? JSON(parsing: text), json["format"]?.integer == 1,
            let origin = json["origin"]?.text, let from = json["from"]?.integer,
            let through = json["through"]?.integer, let created = json["created"]?.integer,
            let root = json["root"]?.text, let epoch = json["epoch"]?.integer, from >= 0, from <= through
        else { throw HistoryError(.malformed, "\(path) does not describe a backup") }
        self.name = name
        parent = json["parent"]?.text
        self.origin = origin
        self.from = from
        self.through = through
        createdAt = created
        self.root = root
        self.epoch = epoch
        checkpoint = json["checkpoint"]?.text
        spools = [:]
        for member in json["spools"]?.members ?? [] { spools[member.name] = member.value.integer }
    }

    /// The complete backups in `directory`, oldest first.
    public static func all(in directory: String) throws(HistoryError) -> [LedgerBackup] {
        var found: [LedgerBackup] = []
        for name in try HistoryFile.names(in: directory) where name.hasPrefix("base-") || name.hasPrefix("increment-") {
            found.append(try LedgerBackup(name: name, in: directory))
        }
        return found.sorted { ($0.createdAt, $0.through, $0.name) < ($1.createdAt, $1.through, $1.name) }
    }

    /// The backups that lead to `last`, base first.
    static func chain(to last: LedgerBackup, of all: [LedgerBackup]) throws(HistoryError) -> [LedgerBackup] {
        var chain = [last]
        while let parent = chain[0].parent {
            guard let found = all.first(where: { $0.name == parent }), found.through == chain[0].from,
                found.origin == last.origin, chain.count <= all.count
            else { throw HistoryError(.malformed, "\(chain[0].name) continues \(parent), which is missing") }
            chain.insert(found, at: 0)
        }
        guard chain[0].from == 0 else { throw HistoryError(.malformed, "\(chain[0].name) is no base") }
        return chain
    }
}
