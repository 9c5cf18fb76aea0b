internal import CZlib

/// Writes a ZIP archive in memory: deflated files, names in UTF-8, as APPNOTE 6.3 describes. A value.
public struct ZipArchive: Sendable {
    /// Why a file does not fit.
    public enum Fault: Error, Equatable, Sendable {
        /// An archive holds at most 65,534 files and 4 GiB.
        case tooLarge
        case outOfMemory
    }

    private struct Entry: Sendable {
        var header: [UInt8]
        var name: [UInt8]
        var offset: UInt32
    }

    private static let version: UInt16 = 20
    /// Bit 11: names are UTF-8.
    private static let flags: UInt16 = 1 << 11
    private static let deflated: UInt16 = 8
    /// The earliest time that the format has, 1980-01-01: the same files make the same archive.
    private static let time: UInt32 = 0x0021_0000

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    /// An empty archive.
    public init() {}

    /// Adds a file. `name` may have folders, separated by `/`.
    public mutating func add(_ name: String, _ content: [UInt8]) throws(Fault) {
        guard let deflater = Deflater(as: .raw, level: 6) else { throw .outOfMemory }
        var packed: [UInt8] = []
        deflater.append(content, isLast: true, to: &packed)
        let ownName = Array(name.utf8)
        let end = bytes.count + packed.count + ownName.count + 64
        guard content.count < UInt32.max, end < UInt32.max, entries.count < UInt16.max - 1, ownName.count < UInt16.max
        else { throw .tooLarge }
        var header: [UInt8] = []
        header.put(Self.version)
        header.put(Self.flags)
        header.put(Self.deflated)
        header.put(Self.time)
        header.put(Self.checksum(content))
        header.put(UInt32(packed.count))
        header.put(UInt32(content.count))
        header.put(UInt16(ownName.count))
        // No extra fields.
        header.put(UInt16(0))
        entries.append(Entry(header: header, name: ownName, offset: UInt32(bytes.count)))
        bytes.put(UInt32(0x0403_4b50))
        bytes += header
        bytes += ownName
        bytes += packed
    }

    /// The archive.
    public consuming func finish() -> [UInt8] {
        let start = bytes.count
        for entry in entries {
            bytes.put(UInt32(0x0201_4b50))
            // Made for Unix, whose rights are in the attributes below.
            bytes.put(UInt16(3) << 8 | Self.version)
            bytes += entry.header
            // No comment, one disk, no internal attributes.
            bytes.put(UInt16(0))
            bytes.put(UInt16(0))
            bytes.put(UInt16(0))
            // A file that its owner may write and all may read.
            bytes.put(UInt32(0o100644) << 16)
            bytes.put(entry.offset)
            bytes += entry.name
        }
        let size = bytes.count - start
        bytes.put(UInt32(0x0605_4b50))
        bytes.put(UInt32(0))
        bytes.put(UInt16(entries.count))
        bytes.put(UInt16(entries.count))
        bytes.put(UInt32(truncatingIfNeeded: size))
        bytes.put(UInt32(truncatingIfNeeded: start))
        bytes.put(UInt16(0))
        return bytes
    }

    private static func checksum(_ content: [UInt8]) -> UInt32 {
        unsafe content.withUnsafeBufferPointer {
            unsafe UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count))
        }
    }
}

extension [UInt8] {
    /// Appends a number, little-endian.
    fileprivate mutating func put(_ number: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
    }
}
