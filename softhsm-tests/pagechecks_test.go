package softhsmtests

// shown collects the texts that a person sees, each with the element that it stands in.
const shown = `
const shown = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
	const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
	if (text !== "" && !["STYLE", "SCRIPT"].includes(element.tagName)) shown.push({text, element});
}
`

// contrast computes the ratio of WCAG 2.1 §1.4.3 for every text against what is painted behind it.
const contrast = shown + `
const channels = colour => {
	const parts = colour.match(/[\d.]+/g).map(Number);
	return {rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1};
};
const over = (top, under) => top.rgb.map((value, i) => value * top.alpha + under[i] * (1 - top.alpha));
const luminance = rgb => {
	const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
	const layers = [];
	for (let e = element; e; e = e.parentElement) layers.unshift(channels(getComputedStyle(e).backgroundColor));
	let ground = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
	for (const layer of layers) ground = over(layer, ground);
	return ground;
};
for (const {text, element} of shown) {
	looked++;
	const ground = behind(element), ink = over(channels(getComputedStyle(element).color), ground);
	const [light, dark] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
	const ratio = (light + 0.05) / (dark + 0.05);
	if (ratio < 4.5) findings.push(element.tagName + "." + element.className + " " + text.slice(0, 40) + ": " + ratio.toFixed(2));
	if (getComputedStyle(element).opacity !== "1") findings.push(text.slice(0, 40) + " is see-through");
}
`

// structure are the checks that do not depend on colours: what axe-core calls page-has-heading-one, heading-order, list,
// html-has-lang, document-title, region, empty-heading, duplicate-id, scope-attr-valid and scrollable-region-focusable.
var structure = map[string]string{
	"one h1": `looked = 1; const n = document.querySelectorAll("h1").length; if (n !== 1) findings.push(n + " of them")`,
	"heading levels": `
		let last = 0;
		for (const h of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
			looked++;
			const level = Number(h.tagName[1]);
			if (level > last + 1) findings.push(h.tagName + " after h" + last + ": " + h.textContent.slice(0, 60));
			if (h.textContent.trim() === "") findings.push("an empty " + h.tagName);
			last = level;
		}`,
	"lists": `
		for (const list of document.querySelectorAll("ul,ol")) {
			looked++;
			if (list.children.length === 0) findings.push("an empty list under " + (list.previousElementSibling || list.parentElement).textContent.slice(0, 60));
			for (const item of list.children) if (item.tagName !== "LI") findings.push(item.tagName + " in a list");
		}
		for (const item of document.querySelectorAll("li")) {
			if (!["UL", "OL"].includes(item.parentElement.tagName)) findings.push("an item outside of a list");
			if (item.textContent.trim() === "") findings.push("an empty item");
		}`,
	"title and landmarks": `
		looked = 1;
		if (document.title.trim() === "") findings.push("no title");
		if (document.querySelectorAll("main").length !== 1) findings.push("not one main");
		for (const e of document.body.children) if (e.tagName !== "MAIN") findings.push(e.tagName + " outside of main");`,
	"ids": `
		looked = document.querySelectorAll("*").length;
		const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
		if (new Set(ids).size !== ids.length) findings.push("an id is there twice");`,
	"table headers": `
		for (const table of document.querySelectorAll("table")) {
			looked++;
			const columns = table.querySelectorAll("thead th[scope=col]").length;
			if (columns === 0) findings.push("no header");
			for (const row of table.querySelectorAll("tbody tr")) if (row.children.length !== columns) findings.push("a row of " + row.children.length);
		}`,
	"details have a summary": `for (const d of document.querySelectorAll("details")) { looked++; if (d.firstElementChild.tagName !== "SUMMARY" || d.firstElementChild.textContent.trim() === "") findings.push("none") }`,
	"commands take the focus": `
		for (const pre of document.querySelectorAll("pre")) {
			looked++;
			pre.focus();
			if (document.activeElement !== pre) findings.push(pre.textContent);
			if (!/^(p11bridge )?\S/.test(pre.textContent)) findings.push("blank: " + pre.textContent);
			if (getComputedStyle(pre).userSelect !== "all") findings.push("not selected as a whole: " + pre.textContent);
			getSelection().selectAllChildren(pre);
			if (getSelection().toString() !== pre.textContent) findings.push("copied as " + getSelection());
		}`,
	"nothing runs and nothing is fetched": `
		looked = document.querySelectorAll("*").length;
		for (const e of document.querySelectorAll("script,link,img,iframe,object,embed,base,form,video,audio,source,svg,math,template,meta[http-equiv=refresh]")) findings.push(e.outerHTML.slice(0, 80));
		for (const e of document.querySelectorAll("*")) for (const a of e.attributes) {
			const within = a.name === "href" && a.value.startsWith("#") && document.getElementById(a.value.slice(1));
			if (!within && (a.name.startsWith("on") || ["src", "href", "srcset", "style", "action"].includes(a.name))) findings.push(e.tagName + " " + a.name + "=" + a.value);
		}
		if (!document.querySelector("meta[http-equiv='Content-Security-Policy'][content*=\"default-src 'none'\"]")) findings.push("no policy");`,
	"no light without words": `
		for (const e of document.querySelectorAll("ul.ratings li, .first, .verdict")) { looked++; if (!/\p{L}{3}/u.test(e.textContent)) findings.push("no words: " + e.textContent) }
		for (const e of document.querySelectorAll("article")) if (!e.closest(".group").querySelector(".verdict")) findings.push("no verdict: " + e.textContent.slice(0, 60));`,
	"each light has its own words": `
		const words = {};
		for (const v of document.querySelectorAll(".verdict")) {
			looked++;
			const light = [...v.classList].find(c => !["verdict", "dot"].includes(c));
			for (const other in words) if (other !== light && words[other].has(v.textContent)) findings.push(v.textContent + " is " + light + " and " + other);
			(words[light] ??= new Set()).add(v.textContent);
		}`,
	"one verdict stands once": `
		for (const section of document.querySelectorAll("#support > section")) {
			const verdicts = [...section.querySelectorAll(".verdict")].map(v => v.textContent);
			looked++;
			if (new Set(verdicts).size !== verdicts.length) findings.push(verdicts.join(", "));
		}`,
	"first the person, then support": `
		const order = ["made", "private", "person", "support"].map(id => document.getElementById(id));
		looked = order.length;
		for (let i = 1; i < order.length; i++) if (!order[i - 1] || !(order[i - 1].compareDocumentPosition(order[i]) & Node.DOCUMENT_POSITION_FOLLOWING)) findings.push("where is " + i);
		if (document.querySelectorAll("#person .light, #person .first").length !== 2) findings.push("no light with its sentence");
		if (document.querySelectorAll("#person .answer p").length < 2) findings.push("no three sentences");
		const message = document.querySelector("#person h3");
		if (!message || !message.nextElementSibling) findings.push("no message");`,
	"contents where there is much": `
		const items = [...document.querySelectorAll(".group:not(.none) .item")].map(e => "#" + e.id), links = [...document.querySelectorAll("nav a")].map(a => a.getAttribute("href"));
		looked = 1;
		if (items.length > 5 ? items.join() !== links.join() : links.length > 0) findings.push(links.length + " links to " + items.length);`,
	"evidence on request": `
		for (const d of document.querySelectorAll("details")) if (d.hasAttribute("open")) findings.push("open: " + d.textContent.slice(0, 60));
		looked = document.querySelectorAll("table").length + 1;
		for (const t of document.querySelectorAll("table")) if (!t.closest("details")) findings.push("a table in the open");`,
	"nothing controls or reorders": shown + `for (const {text} of shown) { looked++; if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/.test(text)) findings.push(JSON.stringify(text)) }`,
}

// fits are the checks that depend on the width: nothing beyond the edge, and URIs and names broken between their parts only. A part that
// is longer than its line has to be broken within.
var fits = map[string]string{
	"nothing scrolls sideways": `
		looked = 1;
		if (document.documentElement.scrollWidth > innerWidth) findings.push(document.documentElement.scrollWidth + " of " + innerWidth);
		for (const e of document.querySelectorAll("main *")) if (e.getBoundingClientRect().right > innerWidth + 1) findings.push(e.tagName + " ends at " + e.getBoundingClientRect().right);`,
	"parts are whole": `
		for (const part of document.querySelectorAll(".part")) {
			looked++;
			const lines = part.getBoundingClientRect().height / parseFloat(getComputedStyle(part).lineHeight);
			if (lines < 1.5) continue;
			part.style.whiteSpace = "pre";
			if (part.scrollWidth <= part.parentElement.clientWidth) findings.push("broken: " + part.textContent);
			part.style.whiteSpace = "";
		}`,
}

// onFirstScreen wants the light, the sentences and what is to be told on the first screen; at a desk the whole summary.
const onFirstScreen = `
	looked = 1;
	const last = innerWidth < 800 ? document.querySelector("#person h3") : document.querySelector("#person");
	if (last.getBoundingClientRect().bottom > innerHeight) findings.push(last.getBoundingClientRect().bottom + " of " + innerHeight);`
