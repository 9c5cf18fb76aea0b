internal import Glibc
internal import MetricModel
internal import Runtime

extension FileDiscovery: Discoverer {
    private struct KnownFile {
        var stamp: [Int64]
        var groups: [TargetGroup]
    }

    /// Reads the files at once, whenever their directory changes, and every ``refreshInterval``.
    func run(_ session: DiscoverySession) {
        let watch = DirectoryWatch(Set(patterns.map { Paths.directory(of: $0) }))
        var files: [String: KnownFile] = [:]
        while true {
            refresh(&files, session)
            // A directory that appears later cannot be watched yet; its files are found within two seconds.
            let patience = watch.isComplete ? refreshInterval.rawValue : min(refreshInterval.rawValue, 2000)
            switch session.stop.wait(milliseconds: patience, reading: watch.descriptor) {
            case .stopped: return
            case .readable: watch.clear()
            case .timedOut: watch.renew()
            }
        }
    }

    /// The groups of a file that cannot be read stay; those of a deleted file are removed.
    private func refresh(_ files: inout [String: KnownFile], _ session: DiscoverySession) {
        let paths = Set(patterns.flatMap { Paths.existing($0) })
        files = files.filter { paths.contains($0.key) }
        for path in paths.sorted() {
            let stamp = TargetFile.stamp(of: path)
            if files[path]?.stamp == stamp { continue }
            do throws(DiscoveryError) {
                files[path] = KnownFile(stamp: stamp, groups: try TargetFile.groups(in: path))
            } catch {
                files[path, default: KnownFile(stamp: stamp, groups: [])].stamp = stamp
                session.fail(error)
            }
        }
        session.replace(files.values.flatMap(\.groups))
    }
}

/// Notifications about changes in directories. Belongs to one thread.
private final class DirectoryWatch {
    /// Readable after a change; -1 if the system does not support it.
    let descriptor: Int32
    private var missing: Set<String>

    init(_ directories: Set<String>) {
        descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        missing = directories
        renew()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether every directory is watched.
    var isComplete: Bool { descriptor >= 0 && missing.isEmpty }

    /// Watches the directories that could not be watched before.
    func renew() {
        guard descriptor >= 0 else { return }
        let events = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB
        missing = missing.filter { unsafe inotify_add_watch(descriptor, $0, UInt32(events)) < 0 }
    }

    /// Reads the events; the directories are scanned in any case.
    func clear() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while unsafe read(descriptor, &buffer, buffer.count) > 0 {}
    }
}
