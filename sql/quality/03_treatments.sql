-- quality_single_drugs: the names that stand for one ingredient, whose row's dose is therefore that ingredient's.
-- ingredient_number: the ingredient again, cheaper to sort millions of rows by.
create or replace temp table quality_single_drugs as
with named as (
    select
        drug,
        max(ingredient) as ingredient,
        max(route_hint) as route_hint
    from drug_names
    where via <> 'regimen'
    group by drug
    having count(ingredient) = 1
)

select
    n.drug,
    n.ingredient,
    n.route_hint,
    dense_rank() over (order by n.ingredient) as ingredient_number,
    i.is_her2_antibody or i.is_her2_conjugate as is_antibody
from named as n
left join ingredients as i on n.ingredient = i.ingredient;

create or replace temp table quality_antibodies as
select distinct
    ingredient,
    ingredient_number
from quality_single_drugs
where is_antibody;

-- quality_dose_limits: the widest limits of a dose by drug, unit and route, and over all routes for a row without one.
create or replace temp table quality_dose_limits as
select
    ingredient,
    unit,
    route,
    min(low) as low,
    max(high) as high
from plausible_doses
group by
    ingredient,
    unit,
    route
union all
select
    ingredient,
    unit,
    'not recorded' as route,
    min(low) as low,
    max(high) as high
from plausible_doses
group by
    ingredient,
    unit;

create or replace temp table quality_routes as
select distinct
    ingredient,
    route
from plausible_doses;

-- exact_treatments: treatment rows that have a day of their own, with their patient and, if one, their ingredient.
create or replace temp view exact_treatments as
select
    t.row_number,
    p.row_number as person,
    t.tumour_id is not null as names_tumour,
    t.start_date,
    t.end_date,
    coalesce(t.record_kind = 'course', t.end_date > t.start_date, false) as is_course,
    t.dose,
    t.dose_unit,
    t.intent,
    coalesce(t.trial, false) as trial,
    p.tumours,
    p.first_diagnosis_date,
    p.last_contact_date,
    coalesce(r.route_hint, t.route) as route,
    r.ingredient,
    r.ingredient_number,
    r.is_antibody
from treatments as t
inner join quality_people as p on t.patient_id = p.patient_id
left join quality_single_drugs as r on t.drug = r.drug
left join vague_rows as v on t.row_number = v.row_number and v.table_name = 'treatments'
where v.row_number is null;

-- quality_treatments: the same with what bounds their dose. The largest table of a registry, and so never written down:
-- the rows that break an expectation are kept, and what names their patient stays with the rows themselves.
create or replace temp view quality_treatments as
select
    t.row_number,
    t.names_tumour,
    t.start_date,
    t.is_course,
    t.dose,
    t.dose_unit,
    t.trial,
    t.tumours,
    t.first_diagnosis_date,
    t.last_contact_date,
    t.route,
    t.ingredient,
    l.low as dose_low,
    l.high as dose_high,
    t.ingredient in (select k.ingredient from plausible_doses as k) as dose_known,
    w.route is not null as route_known
from exact_treatments as t
left join quality_dose_limits as l
    on
        t.ingredient = l.ingredient
        and t.dose_unit = l.unit
        and coalesce(t.route, 'not recorded') = l.route
left join quality_routes as w on t.ingredient = w.ingredient and t.route = w.route;

-- quality_intervals: administrations of one HER2 antibody or conjugate, and the days since the patient's one before.
create or replace temp view quality_intervals as
with numbered as (
    select
        t.row_number,
        t.ingredient_number,
        date_diff(
            'day',
            lag(t.start_date) over (partition by t.person, t.ingredient_number order by t.start_date, t.row_number),
            t.start_date
        ) as days_since
    from exact_treatments as t
    where t.is_antibody and not t.is_course and t.start_date is not null
)

select
    n.row_number,
    i.ingredient,
    n.days_since
from numbered as n
inner join quality_antibodies as i on n.ingredient_number = i.ingredient_number;

-- quality_courses: courses that name one ingredient, and the day until which an earlier one of the same patient ran.
create or replace temp view quality_courses as
select
    t.row_number,
    t.start_date,
    max(t.end_date) over (
        partition by t.person, t.ingredient_number
        order by t.start_date, t.row_number
        rows between unbounded preceding and 1 preceding
    ) as earlier_end_date
from exact_treatments as t
where t.is_course and t.ingredient is not null and t.start_date is not null;

-- quality_intents: rows with a recorded intent, of patients with one tumour, beside what that tumour went through.
create or replace temp view quality_intents as
select
    t.row_number,
    t.intent,
    t.start_date,
    s.first_surgery_date,
    s.metastatic_date,
    s.m_status
from exact_treatments as t
inner join quality_systemic as s on t.person = s.person
where t.tumours = 1 and t.intent is not null and t.start_date is not null;
