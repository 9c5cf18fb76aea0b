internal import Instrumentation
internal import Runtime
internal import WebCore

/// Metrics of the process, updated when metrics are read.
final class ProcessMetrics: Sendable {
    init(registry: Registry, build: BuildInformation) {
        registry.gauge(
            "tribune_build_info", "A constant 1, labelled with the version.",
            labels: ["version": build.version, "revision": build.revision, "compiler": build.compiler]
        ).set(1)
        // The counter is raised to the value that the system reports.
        let cpu = registry.counter("process_cpu_seconds_total", "Processor time used, in seconds.")
        let resident = registry.gauge("process_resident_memory_bytes", "Memory in use, in bytes.")
        let virtual = registry.gauge("process_virtual_memory_bytes", "Address space, in bytes.")
        let started = registry.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.")
        let open = registry.gauge("process_open_fds", "Open file descriptors.")
        let most = registry.gauge("process_max_fds", "The limit of open file descriptors.")
        let threads = registry.gauge("process_threads", "Threads of the process.")
        registry.onSnapshot {
            let figures = ProcessFigures.read()
            cpu.raise(to: figures.cpuSeconds)
            resident.set(Double(figures.residentBytes))
            virtual.set(Double(figures.virtualBytes))
            started.set(figures.startSeconds)
            open.set(Double(figures.openFiles))
            most.set(figures.maximumFiles)
            threads.set(Double(figures.threads))
        }
    }
}
