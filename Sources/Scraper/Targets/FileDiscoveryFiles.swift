internal import Glibc
internal import MetricModel
internal import Runtime
internal import YAML

/// Reads the files of `file_sd_configs`.
enum FileDiscoveryFiles {
    private static let largestFile = 64 << 20

    /// The files that match `pattern`, sorted.
    static func matching(_ pattern: String) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
        return unsafe (0..<Int(found.gl_pathc)).compactMap { index in
            unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
        }
    }

    /// The target groups of a file, each with `__meta_filepath`.
    static func groups(in path: String) throws(YAMLError) -> [ScrapePool.TargetGroup] {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: largestFile)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        // Every JSON file is a YAML file.
        guard let root = try YAML.parse(bytes, file: path).first, !root.isNull else { return [] }
        guard let nodes = root.elements else {
            throw YAMLError(
                file: path, line: root.line, column: root.column, field: "",
                message: "expected a list of target groups, got \(root.kind)")
        }
        var groups: [ScrapePool.TargetGroup] = []
        for (index, node) in nodes.enumerated() {
            var group = try ScrapePool.TargetGroup(node, path: "[\(index)]", file: path)
            group.labels.set("__meta_filepath", to: path)
            groups.append(group)
        }
        return groups
    }

    /// What tells whether a file has changed: its size, inode and time of change.
    static func stamp(of path: String) -> [Int64] {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return [] }
        return [
            Int64(status.st_size), Int64(status.st_ino), Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
        ]
    }
}
