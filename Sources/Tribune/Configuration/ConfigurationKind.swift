internal import Runtime
internal import YAML

/// What a configuration file is, by the fields at its top.
enum ConfigurationKind: Equatable {
    /// A `tribune.yml` or `prometheus.yml`; also what cannot be read, so that the reader reports why.
    case service
    case alertmanager
    case rules
    case plan

    /// The kind of the file at `path`.
    init(of path: String) {
        self = .service
        // Errors are reported by the reader of the file.
        guard let bytes = try? FileText.bytes(path, limit: 16 << 20),
            let document = try? YAML.parse(bytes, file: path).first
        else { return }
        func has(_ names: String...) -> Bool { names.allSatisfy { document[$0] != nil } }
        if has("route", "receivers") { self = .alertmanager }
        if has("groups") { self = .rules }
        if has("plan", "services") { self = .plan }
    }
}
