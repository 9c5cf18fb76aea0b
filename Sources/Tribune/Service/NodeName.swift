internal import Durable
internal import Glibc
internal import Runtime

/// The name of a node: the same after a restart, different from all other nodes'.
enum NodeName {
    /// `name`, or the host's name with a suffix that is stored in `directory`. The directory is the identity of the
    /// node.
    static func text(_ name: String?, in directory: String) throws(CommandFailure) -> String {
        let path = "\(directory)/node"
        if let kept = FileText.read(path)?.split(whereSeparator: \.isNewline).first, !kept.isEmpty {
            return "\(name ?? host)#\(kept)"
        }
        let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
        do throws(DurableError) {
            try DurableFile.replace(path, by: suffix + "\n")
        } catch {
            throw CommandFailure(error.description)
        }
        return "\(name ?? host)#\(suffix)"
    }

    /// The name of the host.
    static var host: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
