internal import Runtime
internal import YAML

/// The kind of a configuration file, determined by its top-level fields.
enum ConfigurationKind: Equatable {
    /// A `tribune.yml` or `prometheus.yml`. Also an unreadable file, so that its reader reports the error.
    case service
    case alertmanager
    case rules
    case plan

    /// The kind of the file at `path`.
    init(of path: String) {
        self = .service
        // The reader of the file reports errors.
        guard let bytes = try? FileText.bytes(path, limit: 16 << 20),
            let document = try? YAML.parse(bytes, file: path).first
        else { return }
        func has(_ names: String...) -> Bool { names.allSatisfy { document[$0] != nil } }
        // One of the two is enough to know what the file should be.
        if has("route") || has("receivers"), !has("scrape_configs") { self = .alertmanager }
        if has("groups") { self = .rules }
        if has("plan", "services") { self = .plan }
    }
}
