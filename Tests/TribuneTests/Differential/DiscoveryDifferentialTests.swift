import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// Debian's Prometheus and Tribune side by side in a network of their own, with dnsmasq as the resolver.
@Suite struct DiscoveryDifferentialTests {
    private static let needs = [
        "/usr/bin/prometheus", "/usr/sbin/dnsmasq", "/usr/bin/curl", "/usr/bin/unshare", "/usr/sbin/ip",
    ]
    private static let canRun = geteuid() == 0 && needs.allSatisfy { access($0, X_OK) == 0 }

    private static let records = """
        address=/tasks.app.test/10.0.0.1
        address=/tasks.app.test/fd00::1
        host-record=one.test,10.0.0.9
        host-record=one.test,10.0.0.10
        srv-host=_web._tcp.app.test,one.test,9100
        srv-host=_web._tcp.app.test,two.test,9200
        mx-host=mail.test,mx.test,10
        local=/test/

        """

    private static let configuration = """
        global: {scrape_interval: 1s, external_labels: {dc: eu}}
        scrape_configs:
        - job_name: srv
          dns_sd_configs: [{names: [_web._tcp.app.test], refresh_interval: 1s}]
        - job_name: a
          scheme: https
          dns_sd_configs: [{names: [tasks.app.test, one.test, none.test], type: A, port: 9100}]
        - job_name: aaaa
          dns_sd_configs: [{names: [tasks.app.test], type: AAAA, port: 9101}]
        - job_name: mx
          scrape_interval: 7s
          scrape_timeout: 3s
          params: {module: [tcp, "5"], target: [x]}
          dns_sd_configs: [{names: [mail.test], type: MX, port: 25}]
          relabel_configs: [{source_labels: [__meta_dns_mx_record_target], target_label: mx}]
        - job_name: files
          metrics_path: /m
          file_sd_configs: [{files: [targets/*.json, "targets/*.yml"]}]

        """

    /// Everything in one namespace: the resolver, both servers, and what they say of their targets once it no longer
    /// changes.
    private static let script = """
        set -e
        ip link set lo up
        mount --bind "$1/resolv.conf" /etc/resolv.conf
        cd "$1"
        dnsmasq --no-daemon --no-resolv --no-hosts --listen-address=127.0.0.1 --bind-interfaces --port=53 \\
            --conf-file="$1/dnsmasq.conf" --user=root --pid-file= >dnsmasq.log 2>&1 &
        all=$!
        prometheus --config.file=prometheus.yml --storage.tsdb.path=theirs --web.listen-address=127.0.0.1:9001 \\
            >theirs.log 2>&1 &
        all="$all $!"
        "$2" serve --config.file=prometheus.yml --storage.path=ours --web.listen-address=127.0.0.1:9002 >ours.log 2>&1 &
        all="$all $!"
        count() { curl -s "http://127.0.0.1:$1/api/v1/targets" | tee "$1.json" | grep -o discoveredLabels | wc -l; }
        for i in $(seq 60); do
            sleep 0.5
            if [ "$(count 9001)" = "$3" ] && [ "$(count 9002)" = "$3" ]; then break; fi
        done
        kill $all
        wait
        """

    private static func discovered(_ text: String?) throws -> [String] {
        let data = try JSON(parsing: text ?? "")["data"]
        return (data?["activeTargets"]?.elements ?? []).map {
            "\($0["scrapePool"]?.text ?? "") \($0["scrapeUrl"]?.text ?? "") \($0["discoveredLabels"]?.canonical ?? "") "
                + "\($0["labels"]?.canonical ?? "")"
        }.sorted()
    }

    @Test(.enabled(if: canRun, "prometheus, dnsmasq, curl, unshare or ip is missing, or this is not root"))
    func metaLabelsAreThoseOfPrometheus() throws {
        let directory = TemporaryDirectory()
        directory.write("nameserver 127.0.0.1\n", to: "resolv.conf")
        directory.write(Self.records, to: "dnsmasq.conf")
        directory.write(Self.configuration, to: "prometheus.yml")
        #expect(mkdir(directory.file("targets"), 0o755) == 0)
        directory.write(
            #"[{"targets": ["f:1", "[::1]:2"], "labels": {"env": "dev", "__x": "y"}}]"#, to: "targets/a.json")
        directory.write("- targets: ['g:80', 'h:81']\n- {targets: [i:443], labels: {job: own}}\n", to: "targets/b.yml")
        let wanted = 2 + 3 + 1 + 1 + 5
        let run = try TribuneProgram.run(
            program: ["unshare", "--net", "--mount", "sh", "-c", Self.script, "sh"]
                + [directory.file(""), TribuneProgram.path, "\(wanted)"])
        let theirs = try Self.discovered(FileText.read(directory.file("9001.json")))
        let ours = try Self.discovered(FileText.read(directory.file("9002.json")))
        #expect(theirs.count == wanted, "\(theirs) \(run.errors)")
        #expect(ours == theirs)
    }
}
