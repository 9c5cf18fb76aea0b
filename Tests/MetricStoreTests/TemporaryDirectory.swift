import Foundation

/// A directory that is removed with its owner.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("tribune-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Files below the directory.
    func files(in directory: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + directory).sorted()
    }

    /// Changes the bytes of a file.
    func edit(_ file: String, _ change: (inout Data) -> Void) throws {
        let url = URL(fileURLWithPath: path + "/" + file)
        var data = try Data(contentsOf: url)
        change(&data)
        try data.write(to: url)
    }
}
