#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch report: what the instance did, as text and as a page.
. "${0%/*}/../system/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"

cat >page.py <<'END'
"""check PAGE: it is well-formed HTML that needs nothing from elsewhere; prints numbers of elements by class, and text."""
import html.parser, re, sys

class Page(html.parser.HTMLParser):
    void = {"meta", "br", "link", "img"}
    def __init__(self):
        super().__init__()
        self.open, self.count, self.wrong, self.script = [], {}, [], ""
    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if any(k in attrs for k in ("src", "href", "xlink:href", "action")) or any("url(" in (v or "") for v in attrs.values()):
            self.wrong.append(f"{tag} {attrs} is from elsewhere")
        for a in ("x", "y", "width", "height"):
            if tag == "rect" and not re.fullmatch(r"-?[0-9.]+", attrs.get(a, "0")):
                self.wrong.append(f"{a} of {attrs}")
        for c in attrs.get("class", "").split():
            self.count[f"{tag}.{c}"] = self.count.get(f"{tag}.{c}", 0) + 1
        if tag not in self.void:
            self.open.append(tag)
    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> is not where it belongs")
    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.script += data

text = open(sys.argv[1], encoding="utf-8").read()
page = Page()
page.feed(text)
page.close()
for bad in page.open:
    page.wrong.append(f"<{bad}> is not closed")
if re.search(r"https?://|@import|<link|nan\b|\binf\b", text):
    page.wrong.append("there is something from elsewhere, or no number: " + re.search(r"https?://|@import|<link|nan\b|\binf\b", text).group())
for w in page.wrong:
    print("wrong:", w)
for k in sorted(page.count):
    print(k, page.count[k])
END
check() { python3 page.py "$1"; }

capture hbatch report
is "$rc|$(sed -n 2p <<<"$out")" "0|0 jobs in 0s: 0 completed, 0 failed, 0 canceled, 0 timeout, 0 running" "no job at all"
hbatch report --html empty.html
is "$(check empty.html | grep wrong)" "" "... as a page"
hbatch submit --quiet -n2 --cc=1-6 --wait sleep 0.1
hbatch submit --quiet --job-name='<i>&"evil' --wait sh -c 'exit 4' 2>/dev/null
hbatch submit --quiet --cc=1-3 --wait false 2>/dev/null
running=$(hbatch submit sleep 300)
hbatch job wait-event -q "$running" start
capture hbatch report --title=Mine
like "$out" "^Mine"$'\n'"11 jobs in .*: 6 completed, 4 failed, 0 canceled, 0 timeout, 1 running" "numbers"
like "$out" "3 failed    false  *Exit 1"$'\n'" *1 failed    <i>&\"evil  *Exit 4" "what did not complete, the most frequent first"
like "$out" "cores used  \|[ .:=#]{60}\| 4" "bars"
is "$(hbatch report --name=false | sed -n 2p | cut -d: -f2)" " 0 completed, 3 failed, 0 canceled, 0 timeout, 0 running" "--name"
is "$(hbatch report -c 2 --since='1 hour ago' | sed -n 2p | cut -d: -f2)" " 0 completed, 2 failed, 0 canceled, 0 timeout, 1 running" "--count"
is "$(hbatch report --json | python3 -c '
import json, sys
r = json.load(sys.stdin)
s = r["series"]
print(r["results"]["failed"], sum(n["njobs"] for n in r["names"]) == r["njobs"], sum(f["njobs"] for f in r["failures"]) > 0,
      len(s["cores"]), sum(s["ended"]) <= r["njobs"], abs(sum(s["cores"]) * s["width"] - r["core_seconds"]) < 0.01 * r["core_seconds"] + 0.01)')" \
    "$(hbatch report | sed -n 2p | sed 's/.* \([0-9]*\) failed.*/\1/') True True 400 True True" "--json"
ok "a page" hbatch report --html page.html --title='<b>T</b>'
checked=$(check page.html)
is "$(grep wrong <<<"$checked")" "" "it is well-formed, and needs nothing from elsewhere"
is "$(grep -E 'rect.r[0-9]' <<<"$checked" | tr '\n' ' ')" "rect.r0 6 rect.r1 4 rect.r4 1 " "a bar for each job"
is "$(grep -c '&lt;i&gt;&amp;&quot;evil' page.html) $(grep -c '<i>&' page.html) $(grep -c '&lt;b&gt;T&lt;/b&gt;' page.html)" "3 0 2" "names are no HTML"
nok "a page and JSON in one" hbatch report --html=- --json
like "$out|$err" "^\|hbatch report: --html=- and --json " "... is refused"
ok "to standard output" hbatch report --html -
is "$out" "$(cat <<<"$out")" "... the same"
like "$out" "^<!DOCTYPE html>" "... a page"
hbatch report --html lanes.html --single-jobs=0
checked=$(check lanes.html)
is "$(grep wrong <<<"$checked")" "" "lanes instead of jobs"
like "$checked" "rect.heat [0-9]+" "... have levels"
unlike "$checked" "rect.r0" "... and no single jobs"
nok "a file that cannot be written" hbatch report --html /no/such/file
like "$err" "cannot write /no/such/file" "it is said"
if [ -c /dev/full ]; then
    nok "a full disk" hbatch report --html /dev/full
    like "$err" "cannot write /dev/full" "it is said"
fi
nok "a wrong number" hbatch report -c x
hbatch cancel "$running"

# what takes long shows on a terminal how far it is, and takes that away
if wanted=$(hbatch submit --cc=1-2 sh -c "[ \$HBATCH_JOB_CC = 1 ] || until [ -e go ]; do sleep 0.05; done" | tr '\n' ' '); then
    # shellcheck disable=SC2086
    shown=$(printf '1 of 2 jobs, 50%%\t\\x03\\c\n' | timeout 60 python3 "$lib_dir/terminal.py" hbatch job wait $wanted)
    like "$shown" "1 of 2 jobs, 50%, [0-9]+/s, [0-9]+s left" "job wait on a terminal"
    touch go
    # shellcheck disable=SC2086
    capture hbatch job wait $wanted
    is "$rc|$out|$err" "0||" "... says nothing elsewhere"
fi

# in a browser
browser=
for b in chromium chromium-browser google-chrome; do
    command -v $b >/dev/null && browser=$b && break
done
if [ -z "$browser" ]; then
    skip "in a browser" "chromium is not here: install the Debian package chromium"
else
    view() { # FILE: the page as it is after its script ran
        timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$tmp/profile" \
            --virtual-time-budget=2000 --dump-dom "file://$1" 2>browser.err
    }
    sed 's|</body>|<script>addEventListener("error",function(e){document.body.dataset.error=e.message});\
        var marks=document.querySelectorAll(".axis span").length;\
        var p=document.querySelector(".plot"),b=p.getBoundingClientRect();\
        p.dispatchEvent(new WheelEvent("wheel",{deltaY:-1,ctrlKey:true,bubbles:true,clientX:b.left+b.width/2,clientY:b.top+5,cancelable:true}));\
        document.body.dataset.zoomed=p.getAttribute("viewBox");\
        document.body.dataset.tabs=marks+" "+document.querySelectorAll(".axis span").length;\
        document.body.dataset.names=document.querySelectorAll(".label").length;\
        var one=document.querySelector("rect.r1"),o=one.getBoundingClientRect(),f=document.querySelector(".frame").getBoundingClientRect();\
        one.dispatchEvent(new PointerEvent("pointermove",{bubbles:true,clientX:o.left+o.width/2,clientY:o.top+1}));\
        document.body.dataset.tip=document.querySelector(".tip").textContent.split("\\n").slice(1).join(" / ");\
        document.body.dataset.bar=document.querySelector("rect.r0").getBoundingClientRect().width.toFixed(1);\
        p.dispatchEvent(new MouseEvent("dblclick",{bubbles:true}));document.body.dataset.all=p.getAttribute("viewBox")</script></body>|' page.html >tried.html
    dom=$(view "$tmp/tried.html")
    if [ -z "$dom" ] && grep -qi "namespace\|sandbox\|zygote" browser.err; then
        skip "in a browser" "$browser does not start here: $(head -c 200 browser.err | tr '\n' ' ')"
    else
        body=$(grep -o '<body[^>]*>' <<<"$dom")
        like "$body" 'data-ready="yes"' "in a browser: the script runs"
        like "$body" 'data-zoomed="(99|100)[0-9.]* 0 800 ' "... Ctrl and the wheel zoom about the pointer"
        like "$body" 'data-all="0 0 1000 ' "... a double click shows all"
        like "$body" 'data-bar="[1-9][0-9.]*"' "... a job's bar can be seen"
        like "$body" 'data-tip="[^"]*(failed, 1 core on 1 node, ran [0-9.]+s, waited [0-9.]+s / Exit [14])[^"]* of 4 cores used, ' "... the pointer finds a job"
        like "$body" 'data-tabs="[1-9][0-9]* [1-9]' "... axes have marks before and after zooming"
        unlike "$body" 'data-error' "... without errors"
    fi
fi
done_testing
