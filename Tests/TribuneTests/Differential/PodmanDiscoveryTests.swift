import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Containers of podman, found through its Docker API by Debian's Prometheus and by Tribune.
@Suite struct PodmanDiscoveryTests {
    private static let needs = [
        "/usr/bin/prometheus", "/usr/bin/podman", "/usr/bin/crun", "/usr/sbin/iptables", "/usr/bin/curl",
        "/usr/bin/unshare", "/usr/sbin/ip",
    ]
    private static let canRun = geteuid() == 0 && needs.allSatisfy { access($0, X_OK) == 0 }

    private static func configuration(_ socket: String) -> String {
        """
        global: {scrape_interval: 1s}
        scrape_configs:
        - job_name: running
          docker_sd_configs: [{host: 'unix://\(socket)', refresh_interval: 1s}]
        - job_name: created
          docker_sd_configs:
          - {host: 'unix://\(socket)', port: 1234, refresh_interval: 1s, filters: [{name: status, values: [created]}]}
        - job_name: labelled
          docker_sd_configs:
          - {host: 'unix://\(socket)', refresh_interval: 1s, filters: [{name: label, values: [scrape=yes]}]}

        """
    }

    /// Everything in namespaces of its own: networks of containers, processes, and the hierarchy of control groups.
    private static let script = """
        set -e
        cd "$1"
        ip link set lo up
        umount -R /sys/fs/cgroup 2>/dev/null || true
        mount -t cgroup2 none /sys/fs/cgroup
        mount -t tmpfs tmpfs /run
        podman() {
            /usr/bin/podman --root "$PWD/root" --runroot "$PWD/run" --tmpdir "$PWD/tmp" --storage-driver vfs \\
                --cgroup-manager cgroupfs --events-backend file "$@"
        }
        export CONTAINERS_CONF="$PWD/containers.conf"
        mkdir -p image/bin
        cp /bin/sleep image/bin/
        for library in $(ldd /bin/sleep | grep -o '/[^ ]*'); do
            mkdir -p "image${library%/*}"
            cp -L "$library" "image$library"
        done
        tar -C image -c . | podman import - localhost/sleep >podman.log 2>&1
        podman run -d --name web -p 8080:80 -p 9100:9100 --label scrape=yes --label com.example/team=shop \\
            localhost/sleep /bin/sleep 300
        podman run -d --name second -p 9200:81/udp -p 9201:82 --label scrape=no localhost/sleep /bin/sleep 300
        podman run -d --name host --network host --label scrape=yes localhost/sleep /bin/sleep 300
        podman run -d --name none --network none localhost/sleep /bin/sleep 300
        podman create --name idle -p 7000:7000 localhost/sleep /bin/sleep 300
        podman system service --time 300 "unix://$PWD/docker.sock" >>podman.log 2>&1 &
        all=$!
        prometheus --config.file=prometheus.yml --storage.tsdb.path=theirs --web.listen-address=127.0.0.1:9001 \\
            >theirs.log 2>&1 &
        all="$all $!"
        "$2" serve --config.file=prometheus.yml --storage.path=ours --web.listen-address=127.0.0.1:9002 >ours.log 2>&1 &
        all="$all $!"
        count() { curl -s "http://127.0.0.1:$1/api/v1/targets" | tee "$1.json" | grep -o discoveredLabels | wc -l; }
        settle() {
            for i in $(seq 100); do
                sleep 0.5
                if [ "$(count 9001)" = "$1" ] && [ "$(count 9002)" = "$1" ]; then break; fi
            done
            mv 9001.json "theirs.$2"
            mv 9002.json "ours.$2"
        }
        settle 6 first
        podman rm -f -t 0 web >>podman.log
        podman start idle >>podman.log
        settle 2 second
        kill $all
        podman rm -f -t 0 -a >>podman.log
        wait
        """

    private static func discovered(_ text: String?) throws -> [String] {
        let data = try JSON(parsing: text ?? "")["data"]
        return (data?["activeTargets"]?.elements ?? []).map {
            "\($0["scrapePool"]?.text ?? "") \($0["scrapeUrl"]?.text ?? "") \($0["discoveredLabels"]?.canonical ?? "")"
        }.sorted()
    }

    @Test(.enabled(if: canRun, "podman, prometheus, iptables or another program is missing, or this is not root"))
    func containersAreThoseThatPrometheusFinds() throws {
        let directory = TemporaryDirectory()
        directory.write(Self.configuration(directory.file("docker.sock")), to: "prometheus.yml")
        directory.write(
            "[containers]\ncgroups = \"disabled\"\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n",
            to: "containers.conf")
        let run = try TribuneProgram.run(
            program: [
                "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c",
                Self.script, "sh", directory.path, TribuneProgram.path,
            ], seconds: 240)
        for (moment, count) in [("first", 6), ("second", 2)] {
            let theirs = try Self.discovered(FileText.read(directory.file("theirs.\(moment)")) ?? "{}")
            let ours = try Self.discovered(FileText.read(directory.file("ours.\(moment)")) ?? "{}")
            #expect(theirs.count == count, "\(moment): \(theirs) \(run.output) \(run.errors)")
            #expect(ours == theirs, "\(moment)")
        }
    }
}
