internal import Glibc
internal import Runtime
internal import Zlib

extension LedgerAudit {
    /// The limit of the files of an archive, in bytes.
    private static let archiveLimit = 256 << 20

    /// An evidence pack as a ZIP archive, whose files are in a folder `name`. Without a PDF.
    ///
    /// - Parameter directory: where the pack is written first; created, and removed again.
    /// - Throws: ``HistoryError/Code/tooMuch`` if the pack has more entries or is larger than allowed.
    public func packArchive(
        _ scope: EvidenceScope, named name: String, by directory: String
    ) throws(HistoryError) -> [UInt8] {
        defer { Self.removePack(directory) }
        _ = try pack(scope, to: directory, printsPDF: false)
        var archive = ZipArchive()
        var total = 0
        for place in Self.files(in: directory) {
            let content: [UInt8]
            do throws(FileText.ReadError) { content = try FileText.bytes(place, limit: Self.archiveLimit) } catch {
                throw HistoryError(.file, error.description)
            }
            total += content.count
            do throws(ZipArchive.Fault) {
                guard total <= Self.archiveLimit else { throw .tooLarge }
                try archive.add("\(name)/\(place.dropFirst(directory.utf8.count + 1))", content)
            } catch {
                throw HistoryError(
                    .tooMuch, "the pack is larger than \(Self.archiveLimit >> 20) MiB: choose a shorter period")
            }
        }
        return archive.finish()
    }

    /// Writes an evidence pack as the ZIP archive `path`, which must not exist.
    ///
    /// - Throws: ``HistoryError/Code/tooMuch`` if the pack has more entries or is larger than allowed.
    public func pack(_ scope: EvidenceScope, toArchive path: String) throws(HistoryError) {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        let name = file.hasSuffix(".zip") ? String(file.dropLast(4)) : file
        let target = try LineWriter(path: path)
        do throws(HistoryError) {
            try target.write(bytes: try packArchive(scope, named: name, by: path + ".partial"))
            try target.finish()
        } catch {
            Paths.remove(path)
            throw error
        }
    }

    private static func files(in directory: String) -> [String] {
        ["*.*", "configuration/*/*"].flatMap { Paths.existing("\(directory)/\($0)") }
    }

    private static func removePack(_ directory: String) {
        for file in files(in: directory) { Paths.remove(file) }
        for folder in Paths.existing("\(directory)/configuration/*") { unsafe rmdir(folder) }
        unsafe rmdir("\(directory)/configuration")
        unsafe rmdir(directory)
    }
}
