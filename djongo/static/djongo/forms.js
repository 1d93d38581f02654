/* Rows of arrays: add, remove, move up and down; and JSON inputs that say where they are wrong.
 * Everything here is a convenience over inputs that also work without it: ORDER numbers, DELETE boxes and one empty row. */
'use strict';
(() => {
    const button = (kind, label, text) => {
        const made = document.createElement('button');
        made.type = 'button';
        made.className = `djongo-tool djongo-${kind}`;
        made.title = label;
        made.setAttribute('aria-label', label);
        made.textContent = text;
        return made;
    };
    const own = (array, name) => array.querySelector(`[name="${array.dataset.prefix}-${name}"]`);
    const list = array => array.querySelector(':scope > .djongo-rows');
    const rows = array => [...list(array).children];
    /* The inputs of the row itself, not those of arrays inside it. */
    const input = (row, name) => row.querySelector(`:scope > .djongo-row-bar [name$="-${name}"]`);
    const removed = row => input(row, 'DELETE').checked;

    function number(array) {
        let place = 0;
        rows(array).forEach(row => {
            const gone = removed(row);
            row.classList.toggle('djongo-removed', gone);
            row.querySelector(':scope > .djongo-row-body').hidden = gone;
            input(row, 'ORDER').value = gone ? '' : ++place;
            row.querySelector(':scope > .djongo-row-bar > .djongo-row-number').textContent = gone ? array.dataset.gone : `#${place}`;
            const remove = row.querySelector(':scope > .djongo-row-bar .djongo-remove');
            if (remove) {
                const label = gone ? array.dataset.undo : array.dataset.remove;
                remove.textContent = gone ? '\u21b6' : '\u2715';
                remove.title = label;
                remove.setAttribute('aria-label', place ? `${label} #${place}` : label);
            }
        });
        const live = rows(array).filter(row => !removed(row));
        live.forEach((row, i) => {
            const bar = row.querySelector(':scope > .djongo-row-bar');
            bar.querySelector('.djongo-up').disabled = i === 0;
            bar.querySelector('.djongo-down').disabled = i === live.length - 1;
        });
        const most = own(array, 'MAX_NUM_FORMS');
        const add = array.querySelector(':scope > .djongo-add');
        if (add && most && most.value !== '') add.hidden = live.length >= Number(most.value);
    }

    function equip(array, row) {
        const tools = row.querySelector(':scope > .djongo-row-bar > .djongo-row-tools');
        tools.querySelectorAll('.djongo-order-label, .djongo-delete-label').forEach(label => { label.hidden = true; });
        const up = button('up', array.dataset.up, '\u2191');
        const down = button('down', array.dataset.down, '\u2193');
        const remove = button('remove', array.dataset.remove, '\u2715');
        const move = step => {
            const live = rows(array).filter(other => !removed(other));
            const other = live[live.indexOf(row) + step];
            if (!other) return;
            list(array).insertBefore(row, step < 0 ? other : other.nextSibling);
            number(array);
            const key = step < 0 ? up : down;
            (key.disabled ? (step < 0 ? down : up) : key).focus();
        };
        up.addEventListener('click', () => move(-1));
        down.addEventListener('click', () => move(1));
        remove.addEventListener('click', () => {
            input(row, 'DELETE').checked = !removed(row);
            number(array);
            row.dispatchEvent(new CustomEvent('formset:removed', {bubbles: true, detail: {formsetName: array.dataset.prefix}}));
        });
        tools.append(up, down, remove);
    }

    /* The admin's widgets that a script dresses: dates, selectors. Select2 listens to formset:added itself. */
    function dress(row) {
        if (window.DateTimeShortcuts && row.querySelector('.vDateField, .vTimeField')) {
            document.querySelectorAll('.datetimeshortcuts').forEach(shortcut => shortcut.remove());
            window.DateTimeShortcuts.init();
        }
        if (window.SelectFilter) {
            row.querySelectorAll('.selectfilter, .selectfilterstacked').forEach(select => {
                window.SelectFilter.init(select.id, select.dataset.fieldName || '', select.classList.contains('selectfilterstacked'));
            });
        }
    }

    function addRow(array) {
        const total = own(array, 'TOTAL_FORMS');
        const index = total.value;
        const prefix = array.dataset.prefix;
        const holder = document.createElement('ol');
        holder.innerHTML = array.querySelector(':scope > .djongo-empty').innerHTML.replaceAll(`${prefix}-__prefix__`, `${prefix}-${index}`);
        const row = holder.firstElementChild;
        list(array).append(row);
        total.value = Number(index) + 1;
        start(row);
        equip(array, row);
        number(array);
        row.dispatchEvent(new CustomEvent('formset:added', {bubbles: true, detail: {formsetName: prefix}}));
        dress(row);
        const first = row.querySelector(':scope > .djongo-row-body :is(input:not([type=hidden]), select, textarea)');
        if (first) first.focus();
    }

    function startArray(array) {
        if (array.dataset.started !== undefined || array.dataset.disabled !== undefined) return;
        array.dataset.started = '';
        /* The empty rows at the end are for browsers without scripts. */
        const blanks = rows(array).filter(row => row.classList.contains('djongo-blank'));
        blanks.forEach(row => row.remove());
        const total = own(array, 'TOTAL_FORMS');
        total.value = Number(total.value) - blanks.length;
        rows(array).forEach(row => equip(array, row));
        const add = array.querySelector(':scope > .djongo-add');
        add.hidden = false;
        add.addEventListener('click', () => addRow(array));
        number(array);
    }

    function startJSON(area) {
        if (area.dataset.started !== undefined) return;
        area.dataset.started = '';
        const note = document.createElement('p');
        note.className = 'djongo-json-note';
        note.setAttribute('role', 'status');
        area.after(note);
        const check = () => {
            let problem = '';
            if (area.value.trim() !== '') {
                try { JSON.parse(area.value); } catch (error) { problem = error.message; }
            }
            note.textContent = problem;
            area.classList.toggle('djongo-invalid', problem !== '');
        };
        area.addEventListener('input', check);
        check();
    }

    /* Several kinds of container: only the chosen one's inputs show. */
    function startKinds(group) {
        if (group.dataset.started !== undefined) return;
        group.dataset.started = '';
        const select = group.querySelector(':scope > .djongo-kind select');
        const show = () => group.querySelectorAll(':scope > .djongo-kind-form').forEach(form => { form.hidden = form.dataset.kind !== select.value; });
        select.addEventListener('change', show);
        show();
    }

    function start(root) {
        root.querySelectorAll('.djongo-array').forEach(startArray);
        root.querySelectorAll('textarea.djongo-json').forEach(startJSON);
        root.querySelectorAll('.djongo-kinds').forEach(startKinds);
    }

    document.addEventListener('formset:added', event => start(event.target));
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => start(document));
    else start(document);
})();
