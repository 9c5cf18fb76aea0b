internal import Glibc
public import MetricModel
internal import Runtime

extension MetricStore {
    /// Deletes the samples in `from...through` of every series that matches any of the matcher lists.
    ///
    /// Samples written later are not affected, with any time: a window that extends into the future ends at `now`.
    /// Deleted samples are omitted from all reads from now on; they are removed from disk with their segment.
    public func delete(
        matching lists: [[Matcher]], from: Timestamp, through: Timestamp, now: Timestamp
    ) throws(StoreError) {
        let end = min(through.milliseconds, now.milliseconds)
        guard from.milliseconds <= end, !lists.isEmpty else { return }
        try core.tombstones.add(lists.map { Tombstone(matchers: $0, window: from.milliseconds...end) })
        core.seriesChanged()
    }

    /// Copies the store's files to `path`, which must not exist, while it is in use. A store opened from the copy has
    /// approximately the present samples.
    ///
    /// Rows are copied before segments and these before the series, so that copied data never refers to missing data.
    ///
    /// - Parameter withoutRows: omits the samples that are in no segment yet.
    public func snapshot(to path: String, withoutRows: Bool = false) throws(StoreError) {
        guard let directory = core.directory else { throw StoreError(.system, "a store in memory has no files") }
        guard !Paths.exists(path) else { throw StoreError(.system, "\(path) exists") }
        guard Paths.makeDirectory(path) else {
            throw StoreError(.system, "cannot create \(path): \(SystemFailure.text())")
        }
        let copy = StoreDirectory(path: path, store: directory.store)
        try StoreDirectory.prepare(path)
        if !withoutRows {
            for number in StoreDirectory.numbers(in: directory.rowFiles) {
                try Self.copy(directory.rows(number), copy.rows(number))
            }
        }
        // Chunks move from segments to blocks, and not while the blocks stay as they are.
        try core.blocks.whileUnchanged { () throws(StoreError) in
            for number in StoreDirectory.numbers(in: "\(directory.path)/segments") {
                try Self.copy(directory.segment(number), copy.segment(number))
            }
            for block in core.blocks.pin().blocks { try Self.copy(block.path, copy.block(block.number)) }
            try Self.copy(directory.manifest, copy.manifest)
        }
        try Self.copy(directory.tombstones, copy.tombstones)
        try Self.copy(directory.exemplarLog, copy.exemplarLog)
        do throws(StoreError) { try core.log?.flush() } catch {
            // On a full disk nothing new is in the log; the copy has the rest.
        }
        try Self.copy(directory.seriesLog, copy.seriesLog)
    }

    /// Copies a file if it exists: files that are no longer needed may be deleted at any time.
    private static func copy(_ source: String, _ target: String) throws(StoreError) {
        let from = unsafe open(source, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else {
            if errno == ENOENT { return }
            throw StoreError(.system, "cannot open \(source): \(SystemFailure.text())")
        }
        defer { Glibc.close(from) }
        let copy = try OpenFile(target, create: true)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            let count = unsafe read(from, &buffer, buffer.count)
            if count == 0 { return }
            if count < 0 {
                guard errno == EINTR else {
                    throw StoreError(.system, "cannot read \(source): \(SystemFailure.text())")
                }
                continue
            }
            try copy.write(buffer[..<count], at: offset)
            offset += count
        }
    }
}

extension SeriesSamples {
    /// Removes the samples in `windows`.
    mutating func remove(_ windows: [ClosedRange<Int64>]) {
        if windows.isEmpty { return }
        let kept = timestamps.indices.filter { index in !windows.contains { $0.contains(timestamps[index]) } }
        guard kept.count < timestamps.count else { return }
        func filtered<Element>(_ list: [Element]) -> [Element] { list.isEmpty ? [] : kept.map { list[$0] } }
        let (old, starts) = (histograms, startTimestamps)
        values = filtered(values)
        histograms = filtered(old)
        startTimestamps = filtered(starts)
        timestamps = filtered(timestamps)
    }
}
