import FuzzTargets
import Runtime

/// The inputs in `Fuzzing/Corpus`.
enum FuzzCorpus {
    /// The inputs of `target` with the paths of their files, in the order of the paths.
    static func inputs(of target: FuzzTarget) throws -> [(path: String, bytes: [UInt8])] {
        let project = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try Paths.matching("\(project)/Fuzzing/Corpus/\(target.rawValue)/*").map { path in
            (path, try FileText.bytes(path))
        }
    }
}
