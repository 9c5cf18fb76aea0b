internal import Glibc
internal import MetricModel
internal import Runtime
internal import YAML

/// Reads the files of `file_sd_configs`.
enum TargetFile {
    private static let largestFile = 64 << 20

    /// The target groups of a file, each with `__meta_filepath`.
    ///
    /// JSON is read by the JSON parser: YAML has other escapes, and accepts an empty file as an empty list.
    static func groups(in path: String) throws(DiscoveryError) -> [TargetGroup] {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: largestFile)
        } catch {
            throw DiscoveryError("\(path): \(error.reason)")
        }
        let source = { (index: Int) in "\(path):\(index)" }
        var groups: [TargetGroup]
        if path.lowercased().hasSuffix(".json") {
            do throws(DiscoveryError) {
                groups = try TargetGroup.list(json: bytes, source: source)
            } catch {
                throw DiscoveryError("\(path): \(error)")
            }
        } else {
            do throws(YAMLError) {
                groups = try yamlGroups(bytes, path, source)
            } catch {
                throw DiscoveryError(error.description)
            }
        }
        for index in groups.indices { groups[index].labels.set("__meta_filepath", to: path) }
        return groups
    }

    private static func yamlGroups(
        _ bytes: [UInt8], _ path: String, _ source: (Int) -> String
    ) throws(YAMLError) -> [TargetGroup] {
        guard let root = try YAML.parse(bytes, file: path).first, !root.isNull else { return [] }
        guard let nodes = root.elements else {
            throw YAMLError(
                file: path, line: root.line, column: root.column, field: "",
                message: "expected a list of target groups, got \(root.kind)")
        }
        var groups: [TargetGroup] = []
        for (index, node) in nodes.enumerated() {
            if node.isNull {
                throw YAMLError(
                    file: path, line: node.line, column: node.column, field: "[\(index)]",
                    message: "nil target group item found (index \(index))")
            }
            groups.append(try TargetGroup(node, path: "[\(index)]", file: path, source: source(index)))
        }
        return groups
    }

    /// A value that changes with the file: its size, inode and time of change.
    static func stamp(of path: String) -> [Int64] {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return [] }
        return [
            Int64(status.st_size), Int64(status.st_ino), Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
        ]
    }
}
