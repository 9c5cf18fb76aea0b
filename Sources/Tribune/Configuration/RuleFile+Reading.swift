internal import RuleEngine
internal import Runtime
internal import YAML

extension RuleFile {
    /// Reads the file at `path`.
    static func load(_ path: String, options: LoadingOptions = LoadingOptions()) throws(RuleFileError) -> RuleFile {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 64 << 20)
        } catch {
            throw RuleFileError(
                faults: [YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)])
        }
        return try RuleFile(parsing: bytes, path: path, options: options)
    }
}
