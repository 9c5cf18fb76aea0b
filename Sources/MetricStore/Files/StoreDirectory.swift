internal import Glibc

/// The files of a store: `series.log`, `segments/`, `blocks/`, `rows/`, `tombstones` and `exemplars.log`.
struct StoreDirectory: Sendable {
    let path: String
    /// Distinguishes the files of this store from those of others.
    let store: UInt64

    var seriesLog: String { "\(path)/series.log" }
    func segment(_ number: UInt32) -> String { "\(path)/segments/\(number)" }
    var blocks: String { "\(path)/blocks" }
    func block(_ number: UInt32) -> String { "\(path)/blocks/\(number)" }
    var manifest: String { "\(path)/blocks/manifest" }
    var tombstones: String { "\(path)/tombstones" }
    var exemplarLog: String { "\(path)/exemplars.log" }
    var rowFiles: String { "\(path)/rows" }
    func rows(_ number: UInt32) -> String { "\(path)/rows/\(number)" }

    /// Creates missing directories.
    static func prepare(_ path: String) throws(StoreError) {
        for directory in [path, "\(path)/segments", "\(path)/blocks", "\(path)/rows"] {
            guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else {
                throw StoreError(.system, "cannot create \(directory): \(SystemFailure.text())")
            }
        }
    }

    /// The names in `directory` that are numbers, with `suffix` behind them, in ascending order.
    static func numbers(in directory: String, suffix: String = "") -> [UInt32] {
        guard let handle = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(handle) }
        var found: [UInt32] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            // Numbering continues after the last one, and chunk places have 31 bits for the number.
            guard name.hasSuffix(suffix) else { continue }
            if let number = UInt32(name.dropLast(suffix.count)), number < Int32.max { found.append(number) }
        }
        return found.sorted()
    }

    /// Renames `path` so that it is kept for inspection. Returns a text with the new name.
    static func setAside(_ path: String) -> String {
        var number = 1
        while unsafe access("\(path).aside.\(number)", F_OK) == 0 { number += 1 }
        unsafe rename(path, "\(path).aside.\(number)")
        return "moved to \(path).aside.\(number)"
    }
}
