import GoTemplate
import MetricModel
import RuleModel
import Testing

@testable import RuleEngine

/// Expected texts are what promtool 2.42 printed for the same templates on the same series.
@Suite struct AlertTemplateTests {
    @Test(
        arguments: [
            (
                #"{{ $value }}"#,
                #"7.5"#
            ),
            (
                #"{{ .Value }} {{ .Labels.a }} {{ .ExternalURL }} {{ .ExternalLabels.zone }}"#,
                #"7.5 b http://host:9090/pre/fix eu"#
            ),
            (
                #"{{ $labels }}"#,
                #"map[__name__:x a:b i:1]"#
            ),
            (
                #"{{ $labels.nope }}|{{ index $labels "nope" }}|{{ len $labels }}"#,
                #"||3"#
            ),
            (
                #"{{ $value | humanize }} {{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize 0.0 }} {{ humanize -1e30 }}"#,
                #"7.5 1.235M 120u 0 -1e+06Y"#
            ),
            (
                #"{{ humanize1024 1048576.0 }} {{ humanize1024 1.0 }} {{ humanize1024 1.5e30 }} {{ humanize1024 "2048" }}"#,
                #"1Mi 1 1.241e+06Yi 2ki"#
            ),
            (
                #"{{ humanizeDuration 0.0 }} {{ humanizeDuration 1.0 }} {{ humanizeDuration 899.99 }} {{ humanizeDuration 93784.5 }} {{ humanizeDuration -61.0 }}"#,
                #"0s 1s 14m 59s 1d 2h 3m 4s -1m 1s"#
            ),
            (
                #"{{ humanizeDuration 0.1 }} {{ humanizeDuration .0001 }} {{ humanizeDuration .00000000000000000001 }} {{ humanizeDuration 3600 }} {{ humanizeDuration "3700.5" }}"#,
                #"100ms 100us 10zs 1h 0m 0s 1h 1m 40s"#
            ),
            (
                #"{{ humanize "+Inf" }} {{ humanize1024 "+Inf" }} {{ humanizeDuration "-Inf" }} {{ humanize "NaN" }}"#,
                #"+Inf +Inf -Inf NaN"#
            ),
            (
                #"{{ humanizePercentage 0.1234567 }} {{ humanizePercentage -1.0 }} {{ humanizePercentage 1 }}"#,
                #"12.35% -100% 100%"#
            ),
            (
                #"{{ humanizeTimestamp 1420070400.25 }} {{ humanizeTimestamp 0.0 }} {{ humanizeTimestamp -1.5 }}"#,
                #"2015-01-01 00:00:00.249 +0000 UTC 1970-01-01 00:00:00 +0000 UTC 1969-12-31 23:59:58.5 +0000 UTC"#
            ),
            (
                #"{{ humanizeTimestamp 1e300 }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <humanizeTimestamp 1e300>: error calling humanizeTimestamp: 1e+300 cannot be represented as a nanoseconds timestamp since it overflows int64>"#
            ),
            (
                #"{{ toTime 1420070400.5 }} {{ (toTime 1420070400).Year }} {{ (1420070400 | toTime).Format "Mon, 02 Jan 2006 15:04:05.000 MST -0700 Z07:00 3PM 1/2/06" }}"#,
                #"2015-01-01 00:00:00.5 +0000 UTC 2015 Thu, 01 Jan 2015 00:00:00.000 UTC +0000 Z 12AM 1/1/15"#
            ),
            (
                #"{{ parseDuration "1h2m10ms" }}"#,
                #"3720.01"#
            ),
            (
                #"{{ parseDuration "x" }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <parseDuration "x">: error calling parseDuration: not a valid duration string: "x">"#
            ),
            (
                #"{{ title "aa bB CC-d ég 1x_y" }} {{ toUpper "straße" }} {{ toLower "ÄBC" }}"#,
                #"Aa BB CC-D Ég 1x_y STRAßE äbc"#
            ),
            (
                #"{{ match "a+" "aa" }} {{ match "^b" "ab" }} {{ reReplaceAll "(a)b" "x$1" "abab" }} {{ reReplaceAll "a" "" "banana" }}"#,
                #"true false xaxa bnn"#
            ),
            (
                #"{{ graphLink "up == 0" }} {{ tableLink "rate(x{a=\"b\"}[5m])" }}"#,
                #"/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=rate%28x%7Ba%3D%22b%22%7D%5B5m%5D%29&g0.tab=1"#
            ),
            (
                #"{{ stripPort "1.2.3.4:80" }} {{ stripPort "[::1]:80" }} {{ stripPort "host" }} {{ stripPort "a:b:c" }} {{ stripPort "[::1]" }}"#,
                #"1.2.3.4 ::1 host a:b:c [::1]"#
            ),
            (
                #"{{ stripDomain "a.b.c:80" }} {{ stripDomain "a.b.c" }} {{ stripDomain "1.2.3.4" }} {{ stripDomain "1.2.3.4:80" }} {{ stripDomain "[::1]:80" }} {{ stripDomain "x" }}"#,
                #"a:80 a 1.2.3.4 1.2.3.4:80 [::1]:80 x"#
            ),
            (
                #"{{ with query "x" }}{{ . | first | value }}{{ end }}"#,
                #"7.5"#
            ),
            (
                #"{{ range query "multi" | sortByLabel "i" }}{{ .Labels.i }}={{ .Value }};{{ end }}"#,
                #"1=1;2=2;3=3;"#
            ),
            (
                #"{{ query "multi" | sortByLabel "i" | first | label "i" }} {{ query "nothing" | len }}"#,
                #"1 0"#
            ),
            (
                #"{{ query "x{" }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <query "x{">: error calling query: 1:3: parse error: unexpected end of input inside braces>"#
            ),
            (
                #"{{ first (query "nothing") }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <first (query "nothing")>: error calling first: first() called on vector with no elements>"#
            ),
            (
                #"{{ query "x" | first | value | printf "%.2f" }} {{ printf "%s" $value }} {{ printf "%d" 3.0 }}"#,
                #"7.50 %!s(float64=7.5) %!d(float64=3)"#
            ),
            (
                #"{{ printf "%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U|%q" 42 42 42 42 255 255 8 5 65 65 65 }}"#,
                #"   42|42   |00042|+42|ff|FF|10|101|A|U+0041|'A'"#
            ),
            (
                #"{{ printf "%8.3f|%-8.2f|%08.2f|%+.1f|% .1f|%e|%E|%g|%G|%v" 3.14159 3.14159 3.14159 3.14159 3.14159 1234.5 1234.5 1e20 1e-7 100000.0 }}"#,
                #"   3.142|3.14    |00003.14|+3.1| 3.1|1.234500e+03|1.234500E+03|1e+20|1E-07|100000"#
            ),
            (
                #"{{ printf "%s|%10s|%-10s|%.2s|%q|%x|%X|% x" "abc" "abc" "abc" "abc" "a\"b" "hi" "hi" "hi" }}"#,
                #"abc|       abc|abc       |ab|"a\"b"|6869|6869|68 69"#
            ),
            (
                #"{{ printf "%t %v %T %T %T %T" true false 1 1.5 "s" true }} {{ printf "%%" }} {{ printf "%d" }} {{ printf "%d" 1 2 }} {{ printf "%!" }} {{ printf "%z" 1 }} {{ printf "%" }}"#,
                #"true false int float64 string bool % %!d(MISSING) 1%!(EXTRA int=2) %!!(MISSING) %!z(int=1) %!(NOVERB)"#
            ),
            (
                #"{{ printf "%*d|%.*f" 5 42 2 3.14159 }} {{ printf "%v" nil }} {{ printf "%6.2f%%" 12.345 }} {{ printf "%s" nil }} {{ printf "%v" $labels }} {{ printf "%s" (args 1 "a") }}"#,
                #"   42|3.14 <nil>  12.35% %!s(<nil>) map[__name__:x a:b i:1] map[arg0:%!s(int=1) arg1:a]"#
            ),
            (
                #"{{ print 1 2 "a" 3 4 }} {{ println 1 "a" }}{{ print }}|{{ print nil }}"#,
                #"1 2a3 4 1 a\#n|<nil>"#
            ),
            (
                #"{{ if gt $value 10.0 }}big{{ else if gt $value 5.0 }}mid{{ else }}small{{ end }}"#,
                #"mid"#
            ),
            (
                #"{{ if $value | lt 1 }}x{{ end }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:127: executing "__alert_A" at <lt 1>: error calling lt: incompatible types for comparison>"#
            ),
            (
                #"{{ if and true (eq 1 1) (ne "a" "b") }}yes{{ end }}{{ if or false "" 0 }}no{{ else }}none{{ end }}{{ not true }}{{ and 1 0 2 }}{{ or 0 "" "x" }}"#,
                #"yesnonefalse0x"#
            ),
            (
                #"{{ eq 1 1.0 }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <eq 1 1.0>: error calling eq: incompatible types for comparison>"#
            ),
            (
                #"{{ eq "a" "b" "a" }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} {{ ge 1.5 2.5 }} {{ ne 1 2 }} {{ eq true true }} {{ eq nil nil }}"#,
                #"true true true true false true true true"#
            ),
            (
                #"{{ lt true false }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <lt true false>: error calling lt: invalid type for comparison>"#
            ),
            (
                #"{{ $x := 1 }}{{ $y := "a" }}{{ if true }}{{ $x = 2 }}{{ $y := "b" }}{{ $y }}{{ end }}{{ $x }}{{ $y }}"#,
                #"b2a"#
            ),
            (
                #"{{ range $i, $e := query "multi" | sortByLabel "i" }}{{ if $i }}, {{ end }}{{ $e.Labels.i }}{{ else }}empty{{ end }}"#,
                #"1, 2, 3"#
            ),
            (
                #"{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}"#,
                #"__name__=x;a=b;i=1;"#
            ),
            (
                #"{{ range query "nothing" }}x{{ else }}none{{ end }}"#,
                #"none"#
            ),
            (
                #"{{ range $e := query "multi" | sortByLabel "i" }}{{ if eq $e.Value 2.0 }}{{ continue }}{{ end }}{{ if eq $e.Value 3.0 }}{{ break }}{{ end }}{{ .Value }}{{ end }}"#,
                #"1"#
            ),
            (
                #"{{ with $labels.nope }}yes{{ else }}no{{ end }}{{ with $x := "v" }}{{ $x }}{{ . }}{{ end }}"#,
                #"novv"#
            ),
            (
                #"{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" 5 }}{{ template "t" }}"#,
                #"<5><<no value>>"#
            ),
            (
                #"{{ block "b" "q" }}[{{ . }}]{{ end }}"#,
                #"[q]"#
            ),
            (
                #"{{ template "missing" }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:124: executing "__alert_A" at <{{template "missing"}}>: template "missing" not defined>"#
            ),
            (
                #"a  {{- " b " -}}   c {{- /* comment */ -}} d{{/* x */}}"#,
                #"a b cd"#
            ),
            (
                #"{{ "\u00e9\n\t\x41" }}{{ `raw\n` }}{{ 'a' }} {{ 0x10 }} {{ 1_000 }} {{ 017 }} {{ 0b101 }} {{ 1e3 }} {{ .5 }} {{ -3 }} {{ +2.5 }} {{ 0x1p4 }}"#,
                #"é\#n\#tAraw\n97 16 1000 15 5 1000 0.5 -3 2.5 16"#
            ),
            (
                #"{{ index (args "a" "b") "arg1" }} {{ (args "a").arg0 }} {{ args "a" 1 }} {{ (args).nope }}"#,
                #"b a map[arg0:a arg1:1] <no value>"#
            ),
            (
                #"{{ index "abc" 1 }} {{ slice "abcdef" 1 3 }} {{ slice "abc" 1 }} {{ len "abc" }} {{ len (query "multi") }}"#,
                #"98 bc bc 3 3"#
            ),
            (
                #"{{ index "abc" 5 }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <index "abc" 5>: error calling index: index out of range: 5>"#
            ),
            (
                #"{{ index (query "multi" | sortByLabel "i") 1 | value }}"#,
                #"2"#
            ),
            (
                #"{{ html "<a href='x'>&\"" }} {{ js "it's <b> \"x\"" }} {{ urlquery "a b&c=d/é" }} {{ safeHtml "<b>" }}"#,
                #"&lt;a href=&#39;x&#39;&gt;&amp;&#34; it\'s \u003Cb\u003E \"x\" a+b%26c%3Dd%2F%C3%A9 <b>"#
            ),
            (
                #"{{ .Foo }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <.Foo>: can't evaluate field Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }>"#
            ),
            (
                #"{{ $labels.a.b }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:122: executing "__alert_A" at <$labels.a.b>: can't evaluate field b in type string>"#
            ),
            (
                #"{{ $value.x }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:121: executing "__alert_A" at <$value.x>: can't evaluate field x in type float64>"#
            ),
            (
                #"{{ humanize "abc" }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <humanize "abc">: error calling humanize: strconv.ParseFloat: parsing "abc": invalid syntax>"#
            ),
            (
                #"{{ nil }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <nil>: nil is not a command>"#
            ),
            (
                #"{{ humanize }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <humanize>: wrong number of args for humanize: want 1 got 0>"#
            ),
            (
                #"{{ title "a" "b" }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <title>: wrong number of args for title: want 1 got 2>"#
            ),
            (
                #"{{ len 1 }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <len 1>: error calling len: len of type int>"#
            ),
            (
                #"{{ 1 | }}"#,
                #"1"#
            ),
            (
                #"{{ .a.b | printf "%v" . }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:117: executing "__alert_A" at <.a.b>: can't evaluate field a in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }>"#
            ),
            (
                #"{{ $value := 3 }}{{ $value }}"#,
                #"3"#
            ),
            (
                #"{{ with (query "x" | first) }}{{ .Labels.a }} {{ .Value }} {{ $.Value }}{{ end }}"#,
                #"b 7.5 7.5"#
            ),
            (
                #"{{ $labels.a | printf "%s-%d" | printf "%q" }}"#,
                #""b-%!d(MISSING)""#
            ),
            (
                #"{{ printf "%v %v" .Value (query "x" | first | value | humanize) | toUpper }}"#,
                #"7.5 7.5"#
            ),
            (
                #"{{ and (gt 1 2) (lt 1 "a") }}"#,
                #"false"#
            ),
            (
                #"{{ not 1 2 }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <not>: wrong number of args for not: want 1 got 2>"#
            ),
            (
                #"{{ true }} {{ false }} {{ . | len }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:142: executing "__alert_A" at <len>: error calling len: len of type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }>"#
            ),
            (
                #"{{ len . }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <len .>: error calling len: len of type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }>"#
            ),
            (
                #"{{ "x" | .Foo }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:121: executing "__alert_A" at <.Foo>: can't evaluate field Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }>"#
            ),
            (
                #"{{ (index $labels "a") }}{{ ($labels).a }}{{ (query "x" | first).Value }}"#,
                #"bb7.5"#
            ),
            (
                #"{{ 1 2 }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <1>: can't give argument to non-function 1>"#
            ),
            (
                #"{{ $labels "x" }}"#,
                #"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing "__alert_A" at <$labels>: can't give argument to non-function $labels>"#
            ),
            (
                #"{{- $value -}}"#,
                #"7.5"#
            ),
            (
                #"x }} y"#,
                #"x }} y"#
            ),
            (
                #"{{ print "}}" }}"#,
                #"}}"#
            ),
            (
                #"{{ printf "%.3g %.10g %.0f %5t|%-7t|" 1234567.0 0.1 2.5 true false }}"#,
                #"1.23e+06 0.1 2  true|false  |"#
            ),
        ] as [(String, String)])
    func expandsLikePrometheus(source: String, expected: String) throws {
        let template = try AlertTemplate(source, alert: "A")
        #expect(template.expand(for: Self.element, functions: Self.functions) == expected)
    }

    @Test(
        arguments: [
            (#"{{ 1 | 2 }}"#, #"template: __alert_A:1: non executable command in pipeline stage 2"#),
            (#"{{ }}"#, #"template: __alert_A:1: missing value for command"#),
            (#"{{ $nope }}"#, #"template: __alert_A:1: undefined variable "$nope""#),
            (#"{{ nope }}"#, #"template: __alert_A:1: function "nope" not defined"#),
            (#"{{ if }}x{{ end }}"#, #"template: __alert_A:1: missing value for if"#),
            (#"{{ if true }}x"#, #"template: __alert_A:1: unexpected EOF"#),
            (#"{{ end }}"#, #"template: __alert_A:1: unexpected {{end}}"#),
            (#"{{ else }}"#, #"template: __alert_A:1: unexpected {{else}}"#),
            (#"{{ "abc }}"#, #"template: __alert_A:1: unterminated quoted string"#),
            (#"{{ `abc }}"#, #"template: __alert_A:1: unterminated raw quoted string"#),
            (#"{{ (1 }}"#, #"template: __alert_A:1: unclosed left paren"#),
            (#"{{ 1) }}"#, #"template: __alert_A:1: unexpected ")" in command"#),
            (#"{{ | 1 }}"#, #"template: __alert_A:1: unexpected "|" in command"#),
            (#"{{ break }}"#, #"template: __alert_A:1: {{break}} outside {{range}}"#),
            (#"{{ range $i, $j, $k := $labels }}{{ end }}"#, #"template: __alert_A:1: too many declarations in range"#),
            (#"{{ $x, $y := 1 }}"#, #"template: __alert_A:1: too many declarations in command"#),
            (#"{{ 1a }}"#, #"template: __alert_A:1: bad number syntax: "1a""#),
            (#"{{ "a".b }}"#, #"template: __alert_A:1: unexpected . after term "\"a\"""#),
            (#"{{ /* x }}"#, #"template: __alert_A:1: unexpected "/" in command"#),
            (#"{{ template }}"#, #"template: __alert_A:1: unexpected "}}" in template clause"#),
            (#"{{ define "x" }}"#, #"template: __alert_A:1: unexpected EOF"#),
            (#"{{ if true }}{{ else }}{{ else }}{{ end }}"#, #"template: __alert_A:1: expected end; found {{else}}"#),
            (#"{{ end"#, #"template: __alert_A:1: unclosed action"#),
            (#"{{ a.b }}"#, #"template: __alert_A:1: function "a" not defined"#),
            (#"{{ {{ }}"#, #"template: __alert_A:1: unexpected "{" in command"#),
            (#"{{ ! }}"#, #"template: __alert_A:1: unexpected "!" in command"#),
            (#"{{ 99999999999999999999 }}"#, #"template: __alert_A:1: integer overflow: "99999999999999999999""#),
        ] as [(String, String)])
    func refusesLikePrometheus(source: String, message: String) {
        #expect(throws: TemplateError(message: message)) { try AlertTemplate(source, alert: "A") }
    }

    private static let element = AlertTemplate.Element(
        labels: ["__name__": "x", "a": "b", "i": "1"], externalLabels: ["zone": "eu"],
        externalURL: "http://host:9090/pre/fix", value: .number(7.5))

    private static let functions = PrometheusFunctions(
        time: Timestamp(milliseconds: 60_000), externalURL: "http://host:9090/pre/fix"
    ) { query throws(TemplateFailure) in
        switch query {
        case "x": [TemplateSample(labels: element.labels, value: 7.5)]
        case "multi":
            ["2", "1", "3"].map { TemplateSample(labels: ["__name__": "multi", "i": $0], value: Double($0) ?? 0) }
        case "nothing": []
        default: throw TemplateFailure("1:3: parse error: unexpected end of input inside braces")
        }
    }
}
