-- Five small tables come first: as common table expressions their sizes would be unknown to the planner, which then
-- hashes every treatment instead of them.

-- dose_days_moved: the days of imprecisely dated treatments in one placement.
create or replace temp table dose_days_moved as
select
    patient_key,
    row_number,
    max(day) filter (where column_name = 'start_date') as start_date,
    max(day) filter (where column_name = 'end_date') as end_date
from case_dates
where table_name = 'treatments'
group by
    patient_key,
    row_number;

-- episode_starts: when an episode begins, or by when it was known, and from when on it is metastatic.
create or replace temp table episode_starts as
select
    f.patient_key,
    f.episode_key,
    min(f.diagnosis_date) as diagnosis_date,
    min(s.known_date) as known_date,
    min(s.metastatic_date) as metastatic_date
from fct_episodes as f
inner join fct_spread as s on f.patient_key = s.patient_key and f.tumour_id = s.tumour_id
group by
    f.patient_key,
    f.episode_key;

-- dose_places: the days on which a dose without tumour counts for an episode, both inclusive.
create or replace temp table dose_places as
select
    c.patient_id,
    c.patient_key,
    s.episode_key,
    s.from_date,
    s.through_date,
    coalesce(e.diagnosis_date - $prior_treatment_days, s.from_date) as earliest_date,
    e.metastatic_date
from fct_episode_spans as s
inner join cases as c on s.patient_key = c.patient_key
inner join episode_starts as e on s.episode_key = e.episode_key;

-- dose_tumours: the episode that a dose with tumour counts for, where the patient has several tumours.
create or replace temp table dose_tumours as
select
    f.patient_key,
    f.tumour_id,
    f.episode_key,
    e.metastatic_date
from fct_episodes as f
inner join episode_starts as e on f.episode_key = e.episode_key
where f.tumour_count > 1;

-- dose_drugs: the names that stand for an anticancer ingredient.
-- is_alone: names this drug and nothing else. is_pair: trastuzumab with pertuzumab, the fixed-dose combination where it
-- was given under the skin. tells_dose: a regimen's dose is nobody's, and units billed are not a dose.
-- is_sequence: a regimen's name that holds an anthracycline and an antibody, which are given one after the other.
create or replace temp table dose_drugs as
with names as (
    select
        n.drug,
        count(*) = 1 as is_alone,
        count(*) = 2 and bool_and(coalesce(n.ingredient in ('trastuzumab', 'pertuzumab'), false)) as is_pair,
        not bool_or(n.via in ('regimen', 'billing-code')) as tells_dose,
        bool_or(n.via = 'regimen')
        and coalesce(bool_or(i.is_anthracycline), false)
        and coalesce(bool_or(i.is_trastuzumab or i.is_pertuzumab), false) as is_sequence
    from drug_names as n
    left join ingredients as i on n.ingredient = i.ingredient
    group by n.drug
)

select
    d.drug,
    d.via,
    d.route_hint,
    n.is_alone,
    n.is_pair,
    n.tells_dose,
    n.is_sequence,
    i.is_endocrine,
    i.ingredient
from drug_names as d
inner join names as n on d.drug = n.drug
inner join ingredients as i on d.ingredient = i.ingredient
where i.is_her2 or i.is_cytotoxic or i.is_endocrine;

-- told_treatments: the treatment rows, their reason for stopping as the contract spells it.
create or replace temp view told_treatments as
select * replace (replace(replace(lower(trim(stop_reason)), ' ', '-'), '_', '-') as stop_reason)
from treatments;

-- fct_undated_doses: one row a case, treatment row without its day, and anticancer ingredient. tumour_id: as recorded.
create or replace table fct_undated_doses as
select
    c.patient_key,
    t.row_number,
    t.tumour_id,
    t.intent,
    d.ingredient,
    coalesce(t.record_kind = 'course', false) as is_course
from treatments as t
inner join cases as c on t.patient_id = c.patient_id
inner join dose_drugs as d on t.drug = d.drug
where t.start_date is null;

-- placed_treatments: the dated treatment rows, whatever the drug, each in the episode that it counts for.
-- What names no tumour and was given long before the diagnosis counts for none: it treated something else.
create or replace temp view placed_treatments as
select
    p.patient_key,
    t.row_number,
    coalesce(v.episode_key, p.episode_key) as episode_key,
    case when v.episode_key is null then p.metastatic_date else v.metastatic_date end as metastatic_date,
    coalesce(m.start_date, t.start_date) as start_date,
    coalesce(m.end_date, t.end_date) as end_date,
    t.drug,
    t.record_kind,
    t.route,
    t.intent,
    coalesce(t.trial, false) as in_trial,
    t.dose,
    t.dose_unit,
    t.infusion_minutes,
    t.stop_reason
from told_treatments as t
inner join dose_places as p on t.patient_id = p.patient_id
left join dose_days_moved as m on p.patient_key = m.patient_key and t.row_number = m.row_number
left join dose_tumours as v on p.patient_key = v.patient_key and t.tumour_id = v.tumour_id
where
    coalesce(m.start_date, t.start_date) between p.from_date and p.through_date
    and (t.tumour_id is not null or coalesce(m.start_date, t.start_date) >= p.earliest_date);

-- dose_rows: one row a placed treatment row and anticancer ingredient.
-- dose, dose_unit, infusion_minutes: of a single administration of this drug alone, else null; zero minutes are none.
-- dose_form: iv, sc, oral or fixed (the fixed-dose combination, whose dose is its pertuzumab part); null where no route
-- is recorded.
-- written_dose: as the row has it, whatever it is the dose of.
create or replace temp view dose_rows as
with placed as (
    select
        t.patient_key,
        t.row_number,
        t.episode_key,
        t.metastatic_date,
        t.start_date,
        t.end_date,
        coalesce(t.record_kind = 'course', t.end_date > t.start_date, false) as is_course,
        coalesce(t.route = 'sc', false) or coalesce(r.route_hint = 'sc', false) as is_sc,
        coalesce(r.route_hint, t.route) as route,
        t.dose,
        t.dose_unit,
        t.infusion_minutes,
        t.intent,
        t.in_trial,
        t.stop_reason,
        r.via = 'regimen' as is_regimen,
        r.is_alone,
        r.is_pair,
        r.tells_dose,
        r.is_sequence,
        r.is_endocrine,
        r.ingredient
    from placed_treatments as t
    inner join dose_drugs as r on t.drug = r.drug
)

select
    patient_key,
    row_number,
    episode_key,
    metastatic_date,
    start_date,
    end_date,
    is_course,
    is_sc,
    case when is_sc then case when is_pair then 'fixed' else 'sc' end else route end as dose_form,
    case when not is_course and tells_dose and (is_alone or (is_pair and is_sc)) then dose end as dose,
    dose as written_dose,
    dose_unit,
    case when not is_course then nullif(infusion_minutes, 0) end as infusion_minutes,
    intent,
    in_trial,
    stop_reason,
    is_regimen,
    is_sequence,
    is_endocrine,
    ingredient
from placed;

-- fct_doses: one row a dated dose of one anticancer ingredient, in the episode that it counts for.
-- A course with both ends stands as three-weekly doses, an endocrine one as dispensings, the last on its end date
-- (derived); a course without an end is one dose on its first day (open_course). setting: curative, or metastatic from
-- the metastatic date on. row_number, end_date: of the row it is of; begins: on the first day of that row.
-- in_sequence: read from a name that does not say on which of its days this drug was given.
-- An administration of zero was held: it is no dose.
create or replace table fct_doses as
with counted as (
    select
        *,
        case when is_endocrine then $dispensing_days else $three_weekly_days end as step_days,
        case
            when not is_course or end_date is null or end_date <= start_date then 0
            when is_endocrine then cast(ceil(date_diff('day', start_date, end_date) / $dispensing_days) as integer)
            else cast(round(date_diff('day', start_date, end_date) / $three_weekly_days) as integer)
        end as last_number
    from dose_rows
    where dose is distinct from 0
),

unfolded as (
    select
        *,
        unnest(generate_series(0, last_number)) as dose_number
    from counted
),

dated as (
    select
        *,
        case
            when dose_number = 0 then start_date
            when dose_number = last_number then end_date
            else start_date + cast(dose_number as integer) * step_days
        end as dose_date
    from unfolded
)

select
    patient_key,
    episode_key,
    dose_date,
    ingredient,
    row_number,
    dose_number = 0 as begins,
    end_date,
    is_sc,
    dose_form,
    dose,
    dose_unit,
    infusion_minutes,
    is_regimen,
    is_sequence as in_sequence,
    is_course as derived,
    is_course and end_date is null as open_course,
    case when intent = 'palliative' or dose_date >= metastatic_date then 'metastatic' else 'curative' end as setting,
    intent,
    in_trial,
    stop_reason
from dated;

-- zero_doses: the administrations of zero, few of them.
create or replace temp table zero_doses as
select
    patient_key,
    row_number,
    ingredient,
    start_date as dose_date,
    stop_reason
from dose_rows
where written_dose = 0 and dose = 0;

-- fct_zero_doses: one row an administration of zero of one drug. is_alone: no dose of the drug was given close by, so
-- that the zero may stand for an amount that is not recorded.
create or replace table fct_zero_doses as
select
    z.patient_key,
    z.row_number,
    z.ingredient,
    z.dose_date,
    z.stop_reason,
    count(d.patient_key) = 0 as is_alone
from zero_doses as z
left join fct_doses as d
    on
        z.patient_key = d.patient_key
        and z.ingredient = d.ingredient
        and d.dose_date between z.dose_date - $zero_dose_days and z.dose_date + $zero_dose_days
group by
    z.patient_key,
    z.row_number,
    z.ingredient,
    z.dose_date,
    z.stop_reason;
