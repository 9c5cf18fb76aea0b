import FuzzTargets
import Runtime

/// The inputs in `Fuzzing/Corpus`.
enum FuzzCorpus {
    /// The inputs of `target` with the paths of their files, in the order of the paths.
    static func inputs(of target: FuzzTarget) -> [(path: String, bytes: [UInt8])] {
        let project = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return Paths.matching("\(project)/Fuzzing/Corpus/\(target.rawValue)/*").compactMap { path in
            (try? FileText.bytes(path)).map { (path, $0) }
        }
    }
}
